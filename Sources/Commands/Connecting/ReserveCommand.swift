import Engine
import Results
import Script
import Sessions
import Sockets
import VM
import Wire

/// `reserve`: binds an address for a program that is started later.
struct ReserveCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "reserve", summary: "bind an address for a program",
            forms: [Form(.parameter(Parameter("NAME", .newSession)), .parameter(.address))],
            text: """
                Connections to the address are refused until 'spawn --socket NAME' gives its socket to a program; \
                from then on it listens, also while no program has it. So the address is known before the program \
                runs, and no other program can take it. The program gets the socket as systemd would give it: LISTEN_FDS \
                and LISTEN_PID are set, and ${NAME.fd} is the number of the descriptor. ${NAME.port} and \
                ${NAME.address} hold the address. 'close NAME' closes our copy of the socket.
                """,
            examples: ["reserve web :0\nspawn server --socket web nginx -g \"daemon off;\""],
            caveats: [
                "Without a host the address is on 127.0.0.1.",
                "The program has to support such sockets: many that systemd can start do.",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let address = Value(address: try call.required("ADDRESS"))
        if let constant = address.constant, !constant.isPlain {
            throw ScriptError(
                address.argument.range, "a place is HOST:PORT or udp://HOST:PORT: what is spoken there is not reserved")
        }
        compiler.emit(
            ReserveInstruction(name: Value(name: try call.required("NAME")), address: address, range: call.range))
    }
}

private struct ReserveInstruction: Instruction {
    let name: Value<String>
    let address: Value<Address>
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let name = try name.evaluate(in: strand)
        let address = try address.evaluate(in: strand)
        guard address.isPlain else {
            throw Failure(
                .expectation, "a place is HOST:PORT or udp://HOST:PORT: what is spoken there is not reserved",
                range: self.address.argument.range)
        }
        try world.sessions.requireFree(name)
        let reservation: Reservation
        do throws(ListenError) {
            reservation = try Reservation(at: address)
        } catch {
            throw Failure(.connection, "\(name): \(error.message)")
        }
        let place = ReservedPlace(name: name, reservation, isUDP: address.isUDP, in: world)
        world.sessions.add(place, named: name)
        strand.holdings?.open(place)
        world.transcript.statement("reserve \(name) \(quotedArgument(place.location))")
        return .next
    }
}
