internal import Activation
internal import ArgumentParser
private import CLauncher
private import Files
private import Glibc

/// The program: a launcher when it was started through a link of `shims/`, else the command line.
@main
enum Program {
    static func main() {
        Console.reserveStandardStreams()
        do {
            try Launcher.runIfLauncher(refusal: sxs_launch_refusal())
        } catch {
            // Like a shell: 127 for a program that is not there, 126 for one that cannot run.
            Console.fail(error, status: (error as? LaunchError)?.exitStatus ?? 126)
        }
        // Only now: whoever starts a launcher in such a state has himself to thank for what the program does.
        guard getuid() == geteuid(), getgid() == getegid() else {
            Console.note(
                """
                it was started with the rights of user \(geteuid()) and group \(getegid()) by user \(getuid()) and group \(getgid()): \
                what that one's environment and arguments say would be done with these rights
                hint: let it be started by a program that becomes one user and group entirely, such as sudo or setpriv
                """)
            Glibc.exit(1)
        }
        do {
            if try UnitGenerator.runIfGenerator(Launcher.arguments) { return }
            if Launcher.arguments.dropFirst().first?.elementsEqual("elf".utf8) == true {
                signal(SIGPIPE, SIG_IGN)
                return try ELFCommand.run(Array(Launcher.arguments.dropFirst(2)))
            }
            // Not CommandLine.arguments, which is empty where /proc is not mounted.
            let words = Launcher.arguments.map { String(decoding: $0, as: UTF8.self) }
            guard let arguments = PrepareCommand.arguments(of: words) else { return }
            if let plain = PlainCommand(arguments) {
                signal(SIGPIPE, SIG_IGN)
                return try plain.run()
            }
            var command = try SXS.parseAsRoot(arguments)
            // Writing to a closed pipe is an error like any other, not death by signal; but a program that is run
            // would inherit that.
            let runsAnother =
                command is RunCommand || command is ShellCommand || (command as? ReportCommand)?.trace == true
            if !runsAnother { signal(SIGPIPE, SIG_IGN) }
            try command.run()
        } catch {
            Console.exit(for: error)
        }
    }
}

struct SXS: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sxs",
        abstract: "Install programs from prebuilt images into a store, and roll back.",
        discussion: """
            An image (OCI, docker save, tar, SquashFS, a directory) becomes /usr/store/<hash>-<name>-<version>; its \
            programs are relocated to work there on any distribution.

            Examples:
              sxs install ./emacs.oci.tar       import an image and show its commands
              sxs run emacs -- --version        run a program of the store
              sxs rollback                      undo the last change

            Exit status: 0 if it is done, 1 for an error, 64 for a command line that makes no sense; of 'run', 'shell' \
            and launchers the program's own, 126 or 127 if it cannot be started.
            """,
        version: version,
        subcommands: [
            InstallCommand.self, RemoveCommand.self, ListCommand.self, GenerationsCommand.self,
            DiffCommand.self,
            RollbackCommand.self, SwitchCommand.self, ActivateCommand.self, RunCommand.self,
            ShellCommand.self, ImportCommand.self,
            ExportCommand.self, BaseCommand.self,
            PathInfoCommand.self, ReportCommand.self, VerifyCommand.self, RemoteCommand.self,
            ELFCommand.self, HintCommand.self, SetupCommand.self, DoctorCommand.self, ExplainCommand.self,
            CheckCommand.self, RelabelCommand.self, AdoptCommand.self, CollectCommand.self,
            WhyAliveCommand.self, UpgradeCommand.self, OutdatedCommand.self, PinCommand.self,
            UnpinCommand.self, HoldCommand.self,
            SearchCommand.self, InformationCommand.self, PlanCommand.self, RepositoryCommand.self,
            KeyCommand.self, IndexCommand.self, RepairCommand.self, PrepareCommand.self, BuildCommand.self,
            LockCommand.self, UpdateLockCommand.self, ConfigCommand.self, ServiceCommand.self,
        ])

    /// The program's version.
    static let version = "0.1.0"
}
