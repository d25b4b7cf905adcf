import Files
import Testing

@testable import Remotes

@Suite struct ChecksumListTests {}
