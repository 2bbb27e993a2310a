/// The scripts that `source <NAME>` includes, built into the program.
package enum Library {
    /// The names, in alphabetical order.
    package static let names = ["http", "imap", "redis", "smtp"]

    /// Returns the text of a script, or nil if there is none of this name.
    package static func script(named name: String) -> [UInt8]? {
        switch name {
        case "http": PackageResources.http_mux
        case "imap": PackageResources.imap_mux
        case "redis": PackageResources.redis_mux
        case "smtp": PackageResources.smtp_mux
        default: nil
        }
    }
}
