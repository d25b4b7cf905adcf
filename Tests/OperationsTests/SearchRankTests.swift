import Testing

@testable import Operations

@Suite struct SearchRankTests {
    private func rank(_ words: String...) -> SearchRank? {
        SearchRank(
            of: words, name: "Git-lfs", summary: "Large files for git, kept elsewhere",
            commands: ["git-lfs-run"])
    }

    @Test func theBestThatAWordIs() {
        #expect(rank("git-lfs") == .name)
        #expect(rank("git") == .beginsName)
        #expect(rank("lfs") == .wordOfName)
        #expect(rank("t-l") == .inName)
        #expect(rank("git-lfs-run") == .command)
        #expect(rank("kept") == .wordOfSummary)
        #expect(rank("where") == .inSummary)
        #expect(rank("nothing") == nil)
        #expect(rank() == .name)
    }

    @Test func ofSeveralWordsAllHaveToBeThereAndTheWorstCounts() {
        #expect(rank("git", "files") == .wordOfSummary)
        #expect(rank("git", "nothing") == nil)
        #expect(SearchRank.name < .beginsName && SearchRank.command < .inSummary)
    }
}
