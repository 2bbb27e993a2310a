import Sessions
import VM
import Wire

/// An address that a script has reserved for a program.
package final class ReservedPlace: Service, Resource {
    package let kind = "reserved"
    package let reservation: Reservation
    /// The number of the descriptor in the program that was given the socket last, or nil.
    package var descriptor: Int?
    private let name: String
    private let isUDP: Bool
    private unowned let world: World

    package init(name: String, _ reservation: Reservation, isUDP: Bool, in world: World) {
        self.name = name
        self.reservation = reservation
        self.isUDP = isUDP
        self.world = world
    }

    package var location: String { (isUDP ? "udp://" : "") + reservation.address.description }
    package var isOpen: Bool { world.sessions.service(named: name) === self }

    package func close() { world.close(self, named: name) }

    package func stop() { reservation.close() }
}
