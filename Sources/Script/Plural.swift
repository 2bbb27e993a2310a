/// Returns a count with its noun, for messages: `1 line`, `2 lines`, `0 lines`.
package func counted(_ count: Int, _ noun: String) -> String {
    "\(count) \(noun)\(count == 1 ? "" : "s")"
}
