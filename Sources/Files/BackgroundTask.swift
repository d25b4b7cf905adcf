internal import CLinux
internal import Glibc

/// Work on a thread of its own, whose result is asked for later.
public final class BackgroundTask<Value: Sendable> {
    // A class: there is one thread, and one who waits for it.

    /// What the thread writes before it ends.
    private final class Box: @unchecked Sendable {
        private let monitor = Monitor()
        private var known: Result<Value, any Error>?

        var result: Result<Value, any Error>? {
            get { monitor.withLock { known } }
            set { monitor.withLock { known = newValue } }
        }
    }

    private let work: @Sendable () throws -> Value
    private let box = Box()
    private var thread: pthread_t?

    /// Begins some work; where there can be no thread, it is done when its result is asked for.
    public init(_ work: @escaping @Sendable () throws -> Value) {
        self.work = work
        var thread = pthread_t()
        let body = ThreadBody { [box] in box.result = Result(catching: work) }
        let argument = Unmanaged.passRetained(body)
        if pthread_create(&thread, nil, ThreadBody.start, argument.toOpaque()) == 0 {
            self.thread = thread
        } else {
            argument.release()
        }
    }

    /// Whether there is a thread whose result nobody has asked for yet; without one, the work waits until somebody does.
    public var hasThread: Bool { thread != nil }

    /// Whether the work is done: then nobody waits for its result.
    public var isOver: Bool { box.result != nil }

    deinit {
        // What nobody asked for is waited for all the same: nothing goes on behind its owner's back.
        if let thread { pthread_join(thread, nil) }
    }

    /// Waits for the end.
    ///
    /// - Returns: What the work gave.
    /// - Throws: What the work threw.
    public func value() throws -> Value {
        if let thread {
            pthread_join(thread, nil)
            self.thread = nil
        }
        let result = box.result ?? Result(catching: work)
        box.result = result
        return try result.get()
    }
}

/// Does some work on a thread that nobody waits for; where there can be none, on this one.
public func detach(_ work: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(ThreadBody(work))
    if pthread_create(&thread, nil, ThreadBody.start, argument.toOpaque()) == 0 {
        pthread_detach(thread)
    } else {
        argument.release()
        work()
    }
}

/// What a thread does.
final class ThreadBody: Sendable {
    private let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) { self.run = run }

    /// For pthread_create(3), with a retained body as argument.
    static let start: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
        guard let argument else { return nil }
        Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
        return nil
    }
}

/// Lets this thread not take the processor from another when it is woken, but wait until there is one.
///
/// Source: sched(7), `SCHED_BATCH`.
public func giveWayWhenWoken() {
    // Where it cannot be, all else is as it was.
    sxs_give_way_when_woken()
}
