/// The version of the programs: the only place that has it.
package let version = "0.2.0"
