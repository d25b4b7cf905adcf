/// Upper parts of addresses that registers may hold, as far as an interval is near.
///
/// A lower part belongs to one address, so the upper part is the same on every path to the instruction that has it. It
/// is what the code right before put into the register; after a jump, or a call that may not come back, it is any that
/// the register had at a branch, jump or call of the function: the others were gone before anything could go there.
struct HighParts {
    /// Parts that one register may hold; the oldest gives way.
    private static let most = 8
    private static let registers = 32

    private var values = [UInt64](repeating: 0, count: registers * most)
    private var places = [Int](repeating: 0, count: registers * most)
    private var counts = [Int](repeating: 0, count: registers)
    /// Where each register was last written to, as far as that is looked at, and whether with a part.
    private var written = [Int](repeating: .min, count: registers)
    private var latest = [UInt64?](repeating: nil, count: registers)
    /// One bit for each register that held a part.
    private(set) var mask: UInt32 = 0
    /// One bit for each register whose part was not yet in it at a branch, jump or call.
    private var isNew: UInt32 = 0

    @inline(__always)
    func mayHold(_ register: Int) -> Bool { mask & (1 << UInt32(register)) != 0 }

    mutating func forget() {
        guard mask != 0 else { return }
        for register in 0..<Self.registers {
            counts[register] = 0
            written[register] = .min
        }
        mask = 0
        isNew = 0
    }

    /// Notes that the instruction numbered `place` puts `value` into a register.
    mutating func insert(_ value: UInt64, in register: Int, at place: Int) {
        written[register] = place
        latest[register] = value
        mask |= 1 << UInt32(register)
        isNew |= 1 << UInt32(register)
    }

    /// Notes that the instruction numbered `place` puts something else into a register.
    @inline(__always)
    mutating func overwrite(_ register: Int, at place: Int) {
        guard mayHold(register) else { return }
        written[register] = place
        latest[register] = nil
        isNew &= ~(1 << UInt32(register))
    }

    /// Notes that the next instruction to be executed may be another than the one behind.
    @inline(__always)
    mutating func leave() {
        while isNew != 0 {
            let register = isNew.trailingZeroBitCount
            isNew &= isNew - 1
            if let value = latest[register] { keep(value, in: register, at: written[register]) }
        }
    }

    private mutating func keep(_ value: UInt64, in register: Int, at place: Int) {
        let first = register * Self.most
        let held = min(counts[register], Self.most)
        for index in first..<first + held where values[index] == value {
            places[index] = place
            return
        }
        let index = first + counts[register] % Self.most
        values[index] = value
        places[index] = place
        counts[register] += 1
    }

    /// What a register holds for certain, or may.
    ///
    /// - Parameters:
    ///   - oldest: The number of the first instruction whose part is still believed.
    ///   - jump: The number of the last instruction after which the next does not follow.
    func held(by register: Int, since oldest: Int, after jump: Int) -> [UInt64] {
        if written[register] > jump { return latest[register].map { [$0] } ?? [] }
        let first = register * Self.most
        return (first..<first + min(counts[register], Self.most)).compactMap {
            places[$0] >= oldest ? values[$0] : nil
        }
    }
}

/// Code that is followed: the registers, and where in which function it is.
struct CodeWalk {
    /// Instructions after which a part is no longer believed, where functions are not known: compilers put the two
    /// halves of an address next to each other or, out of a loop, some hundreds of instructions apart.
    private static let window = 4096
    /// The same where functions are known, in one function.
    private static let longWindow = 1 << 16
    /// Branches out of their function that are followed, each with a part; more are taken for a sign of damage.
    private static let mostDepartures = 1 << 20
    /// Instructions that are looked at after such a branch.
    static let followed = 256

    /// A branch out of a function with a register's part: mostly to what the compiler takes for unlikely.
    struct Departure: Hashable, Comparable {
        let target: UInt64
        let register: Int
        let value: UInt64

        static func < (left: Departure, right: Departure) -> Bool {
            (left.target, left.register, left.value) < (right.target, right.register, right.value)
        }
    }

    /// Upper parts of addresses.
    var parts = HighParts()
    /// Whole addresses, to which others are a distance.
    var bases = HighParts()
    /// Instructions seen.
    private(set) var number = 0
    private(set) var departures: [Departure] = []
    /// Whether a branch was not followed.
    private(set) var isOverfull = false

    private let starts: [UInt64]
    private let targets: [UInt64]
    private let window: Int
    private var nextStart = 0
    private var function: Range<UInt64> = 0..<0
    private var departuresLimit = 1 << 12

    /// - Parameters:
    ///   - starts: Where functions begin, ascending.
    ///   - targets: Where branches lead, ascending.
    ///   - size: Bytes of all code.
    init(starts: [UInt64], targets: [UInt64], size: Int) {
        self.starts = starts
        self.targets = targets
        // Assembly and some compilers' code is in no table; then an entry may be followed by many functions.
        window = starts.count > size / 2048 ? Self.longWindow : Self.window
    }

    /// The number of the last instruction after which the next does not follow.
    private var jump = -1

    /// Upper parts that a register holds or may hold.
    func parts(in register: Int) -> [UInt64] {
        parts.held(by: register, since: number - window, after: jump)
    }

    /// The upper part that a register holds for certain.
    func certainParts(in register: Int) -> [UInt64] {
        parts.held(by: register, since: .max, after: jump)
    }

    /// Whole addresses that a register holds, or may hold if calls leave it alone.
    func bases(in register: Int, isKept: Bool) -> [UInt64] {
        bases.held(by: register, since: isKept ? number - window : .max, after: jump)
    }

    /// Notes that the next instruction is not reached from this one, which may lead to others.
    @inline(__always)
    mutating func stop() {
        leave()
        jump = number
    }

    /// Notes that a register may hold an upper part on arrival at the next instruction.
    mutating func arrive(with part: UInt64, in register: Int) {
        parts.insert(part, in: register, at: number)
        parts.leave()
    }

    @inline(__always)
    private mutating func leave() {
        parts.leave()
        bases.leave()
    }

    /// Begins at another place, with empty registers.
    mutating func begin(at address: UInt64) {
        parts.forget()
        bases.forget()
        stop()
        nextStart = firstIndex(of: starts) { $0 > address }
        setFunction(nextStart > 0 ? starts[nextStart - 1] : 0)
    }

    /// Where the next function begins.
    var end: UInt64 { nextStart < starts.count ? starts[nextStart] : .max }

    /// Goes to the instruction at an address.
    @inline(__always)
    mutating func advance(to address: UInt64) {
        number += 1
        if nextStart < starts.count, address >= starts[nextStart] { begin(at: address) }
    }

    /// Notes a call.
    ///
    /// If it never comes back, what follows is there for others, who jump to it.
    ///
    /// - Parameters:
    ///   - next: The address after it.
    ///   - changed: One bit for each register that calls change.
    mutating func call(before next: UInt64, changing changed: UInt32) {
        // Exceptions lead from calls to elsewhere in the function.
        leave()
        let index = firstIndex(of: targets) { $0 >= next }
        guard index >= targets.count || targets[index] != next else { return stop() }
        var registers = (parts.mask | bases.mask) & changed
        while registers != 0 {
            let register = registers.trailingZeroBitCount
            registers &= registers - 1
            parts.overwrite(register, at: number)
            bases.overwrite(register, at: number)
        }
    }

    private mutating func setFunction(_ start: UInt64) {
        function = start..<max(start, end)
    }

    /// Notes a branch.
    ///
    /// - Parameter isFollowed: Whether what the registers hold is noted if it leaves the function.
    mutating func branch(from address: UInt64, to target: UInt64, isFollowed: Bool) {
        leave()
        guard isFollowed, parts.mask != 0 else { return }
        if window == Self.longWindow {
            guard !function.contains(target) else { return }
        } else {
            let distance = target > address ? target - address : address - target
            guard distance > UInt64(4 * Self.window) || target < function.lowerBound else { return }
        }
        for register in 0..<32 where parts.mayHold(register) {
            for value in parts(in: register) {
                departures.append(Departure(target: target, register: register, value: value))
            }
        }
        guard departures.count > departuresLimit else { return }
        departures = Array(Set(departures))
        departuresLimit = max(departuresLimit, departures.count * 2)
        if departures.count > Self.mostDepartures {
            isOverfull = true
            departures = []
        }
    }

    /// The branches noted, by where they lead, each once; there are none afterwards.
    mutating func takeDepartures() -> [Departure] {
        let result = Set(departures).sorted()
        departures = []
        return result
    }
}

extension ELFFile {
    /// Where functions begin, ascending, as the table for unwinding has them; empty without one.
    ///
    /// Source: Linux Standard Base Core 5.0, 10.6.2 "The .eh_frame_hdr section".
    var functionStarts: [UInt64] {
        guard let segment = segments.first(where: { $0.type == Segment.unwinding }) else { return [] }
        let start = segment.fileRange.lowerBound
        // Version 1, a 4-byte pointer, a 4-byte count, and entries of two 4-byte distances from the table.
        guard view.read(UInt8.self, at: start) == 1, let pointer = view.read(UInt8.self, at: start + 1),
            pointer & 0xf == 0xb || pointer & 0xf == 3, view.read(UInt8.self, at: start + 2) == 3,
            view.read(UInt8.self, at: start + 3) == 0x3b, let count = view.read(UInt32.self, at: start + 8)
        else { return [] }
        let entries = min(Int(count), (segment.fileRange.count - 12) / 8)
        guard entries > 0 else { return [] }
        var result: [UInt64] = []
        result.reserveCapacity(entries)
        for index in 0..<entries {
            guard let distance = view.read(Int32.self, at: start + 12 + 8 * index) else { break }
            result.append(segment.address &+ UInt64(bitPattern: Int64(distance)))
        }
        return result.sorted()
    }
}
