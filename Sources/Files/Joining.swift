extension [String] {
    /// The texts one after the other, with a separator between each two.
    ///
    /// In place of the standard library's of this name: that is generic, and the first call of a program looks its types up,
    /// which takes a tenth as long as all that `sxs list` does.
    public func joined(separator: String) -> String {
        var result = first ?? ""
        for text in dropFirst() {
            result += separator
            result += text
        }
        return result
    }
}
