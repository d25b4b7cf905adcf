internal import CLinux

/// The width in columns of the terminal that a descriptor is; 0 where it is none.
public func terminalWidth(of descriptor: Int32) -> Int {
    Int(sxs_terminal_width(descriptor))
}
