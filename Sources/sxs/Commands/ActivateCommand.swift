internal import Activation
internal import ArgumentParser
internal import Operations

/// Whether a switch reaches services.
struct ActivationOptions: ParsableArguments {
    @Flag(
        help: "Leave services, users and /etc as they are; 'sxs activate' brings them to the new generation.")
    var noActivate = false
}

struct ActivateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "activate",
        abstract: "Bring services, users and /etc to the active generation.",
        discussion: """
            Every switch of the system's default profile does this by itself, on a host that is set up, and a unit does \
            it at boot. What a switch could not do is tried again; where all is done, nothing is.

            Example:
              sxs activate
            """)

    @Flag(help: .hidden)
    var boot = false

    @OptionGroup var shared: SharedOptions

    func run() throws {
        let activation = try shared.session().activateServices(isBoot: boot)
        if shared.json {
            try Console.printJSON(activation)
        } else {
            activation.show()
            if activation.isEmpty { Console.print("nothing to do") }
        }
        try activation.check()
    }
}

extension ServiceActivation {
    /// Prints what was done, and what went wrong.
    func show() {
        for path in configuration.made { Console.print("+ \(path)") }
        for path in configuration.replaced { Console.print("~ \(path)") }
        for path in configuration.removed { Console.print("- \(path)") }
        for kept in configuration.kept { Console.print("= \(kept.path) stays: \(kept.reason)") }
        for unit in hidden { Console.print("= \(unit) is the host's own") }
        for unit in stopped { Console.print("stopped \(unit)") }
        for unit in restarted { Console.print("restarted \(unit)") }
        for unit in started { Console.print("started \(unit)") }
    }

    /// Ends the program with status 1 if something went wrong, which is said.
    func check() throws {
        guard !warnings.isEmpty else { return }
        for warning in warnings { Console.note(warning) }
        Console.note("hint: the generation is active; 'sxs activate' tries again what could not be done")
        throw ExitCode.failure
    }
}
