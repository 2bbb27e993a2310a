import Foundation
import TestSupport

/// Runs the built programs.
enum Program {
    /// The result of a run.
    struct Outcome {
        let out: String
        let err: String
        let status: Int32
    }

    /// Returns the path of a program: next to the test program, or where a plain build puts it.
    static func path(_ name: String) -> String {
        let beside = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent(
            name
        ).path
        if FileManager.default.isExecutableFile(atPath: beside) { return beside }
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return root.appendingPathComponent(".build/debug/\(name)").path
    }

    /// A private directory that is removed when this object is released.
    final class Folder {
        let url: URL

        init() throws {
            url = FileManager.default.temporaryDirectory.appendingPathComponent("muxsh-test-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        }

        deinit {
            try? FileManager.default.removeItem(at: url)
        }
    }

    /// Runs a program in `folder` until it ends. It is killed after a minute, which shows in its status.
    static func run(
        _ name: String, _ arguments: [String], in folder: Folder, stdin: String = "",
        environment: [String: String] = [:]
    ) throws -> Outcome {
        let process = ChildProgram()
        process.path = name.hasPrefix("/") ? name : path(name)
        process.arguments = arguments
        process.folder = folder.url.path
        var variables = ["PATH": "/usr/bin:/bin", "HOME": folder.url.path, "TERM": "dumb", "LC_ALL": "C.UTF-8"]
        variables.merge(environment) { _, new in new }
        process.environment = variables
        let files = ["in", "out", "err"].map { folder.url.appendingPathComponent(".test-\($0)") }
        try Data(stdin.utf8).write(to: files[0])
        for file in files[1...] { try Data().write(to: file) }
        let input = try FileHandle(forReadingFrom: files[0])
        let (output, errors) = (try FileHandle(forWritingTo: files[1]), try FileHandle(forWritingTo: files[2]))
        process.input = input.fileDescriptor
        process.output = output.fileDescriptor
        process.errors = errors.fileDescriptor
        try process.run()
        let identifier = process.processIdentifier
        let killer = DispatchWorkItem { kill(identifier, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + 60, execute: killer)
        process.waitUntilExit()
        killer.cancel()
        let (out, err) = (try Data(contentsOf: files[1]), try Data(contentsOf: files[2]))
        return Outcome(
            out: String(decoding: out, as: UTF8.self), err: String(decoding: err, as: UTF8.self),
            status: process.terminationStatus)
    }
}
