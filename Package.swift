// swift-tools-version: 6.2
import PackageDescription

// What is in Tests and not in the target EngineTests.
let notEngineTests = [
    "EndToEnd", "Fuzz/Corpus", "Fuzz/Dictionaries", "Fuzz/README.md", "FunctionsTests", "Interactive", "ReactorTests",
    "ScriptTests", "Faults", "Soak", "Support", "TerminalTests", "WireTests",
]

// The modules and what each may import are described in ARCHITECTURE.md; arrows run one way, as listed here.
let package = Package(
    name: "muxsh",
    products: [
        .executable(name: "muxsh", targets: ["muxsh"]),
        .executable(name: "echod", targets: ["echod"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        .systemLibrary(name: "CPlatform"),
        .systemLibrary(
            name: "CEditline", pkgConfig: "libedit", providers: [.apt(["libedit-dev"]), .brew(["libedit"])]),
        .systemLibrary(
            name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"]), .brew(["pcre2"])]),
        .systemLibrary(
            name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
        .systemLibrary(
            name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        .systemLibrary(
            name: "CJansson", pkgConfig: "jansson", providers: [.apt(["libjansson-dev"]), .brew(["jansson"])]),
        .systemLibrary(
            name: "CTelnet", pkgConfig: "libtelnet", providers: [.apt(["libtelnet-dev"]), .brew(["libtelnet"])]),
        .systemLibrary(
            name: "CVTerm", pkgConfig: "vterm", providers: [.apt(["libvterm-dev"]), .brew(["libvterm"])]),
        .systemLibrary(name: "CWslay", providers: [.apt(["libwslay-dev"]), .brew(["wslay"])]),
        .target(
            name: "Reactor",
            dependencies: ["CPlatform", .product(name: "SystemPackage", package: "swift-system")]),
        .target(name: "Options", dependencies: ["Reactor", "CPlatform"]),
        .target(
            name: "Sockets",
            dependencies: ["Reactor", "CPlatform", .product(name: "SystemPackage", package: "swift-system")]),
        .target(
            name: "Wire",
            dependencies: [
                "Sockets", "Reactor", "CPlatform", "COpenSSL", "CTelnet", "CWslay",
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "DequeModule", package: "swift-collections"),
            ]),
        .target(name: "Script", dependencies: ["CPCRE2"]),
        .target(name: "Functions", dependencies: ["Script", "COpenSSL", "CZlib", "CJansson"]),
        .target(
            name: "Results",
            dependencies: [
                "Functions", "Script", "Reactor",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ]),
        .target(
            name: "VM",
            dependencies: [
                "Functions", "Script", "Reactor", "Results",
                .product(name: "DequeModule", package: "swift-collections"),
            ]),
        .target(
            name: "Sessions",
            dependencies: [
                "Wire", "Sockets", "Script", "Reactor", "Results", "CPlatform", "CVTerm",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "OrderedCollections", package: "swift-collections"),
            ]),
        .target(
            name: "Engine",
            dependencies: [
                "VM", "Sessions", "Wire", "Sockets", "Script", "Reactor", "Results", "CPlatform",
                .product(name: "OrderedCollections", package: "swift-collections"),
            ]),
        .target(
            name: "Commands",
            dependencies: [
                "Engine", "VM", "Sessions", "Wire", "Sockets", "Options", "Functions", "Script", "Reactor", "Results",
                "Library",
            ]),
        .target(
            name: "Library", path: "scripts/library",
            resources: ["http", "imap", "redis", "smtp"].map { .embedInCode("\($0).mux") }),
        .target(
            name: "Terminal",
            dependencies: [
                "Reactor", "Script", "CEditline", .product(name: "DequeModule", package: "swift-collections"),
            ]),
        .executableTarget(
            name: "muxsh",
            dependencies: [
                "Commands", "Engine", "Terminal", "Sessions", "VM", "Results", "Wire", "Script", "Reactor", "Library",
                "Sockets", "Options",
            ]),
        .executableTarget(
            name: "echod",
            dependencies: ["Sockets", "Reactor", "Options"]),
        .target(name: "TestSupport", dependencies: ["Reactor", "CPlatform"], path: "Tests/Support"),
        .testTarget(name: "ReactorTests", dependencies: ["Reactor", "TestSupport"]),
        .testTarget(name: "WireTests", dependencies: ["Wire", "Sockets", "Options", "Reactor", "TestSupport"]),
        .testTarget(name: "ScriptTests", dependencies: ["Script", "Commands", "TestSupport"]),
        .testTarget(name: "FunctionsTests", dependencies: ["Functions", "Script", "TestSupport"]),
        // With the fuzz targets, which run here for a short time.
        .testTarget(
            name: "EngineTests",
            dependencies: [
                "Commands", "Engine", "Functions", "Options", "VM", "Sessions", "Results", "Script", "Sockets",
                "Terminal", "Wire", "Reactor", "TestSupport",
            ],
            path: "Tests", exclude: notEngineTests + ["Fuzz/Targets/Main.swift"],
            sources: ["EngineTests", "Fuzz/Targets"]),
        .testTarget(name: "TerminalTests", dependencies: ["Terminal", "Commands", "Reactor", "TestSupport"]),
        .testTarget(
            name: "EndToEndTests", dependencies: ["muxsh", "echod", "Script", "TestSupport"], path: "Tests/EndToEnd",
            exclude: ["Cases", "Peers", "junit.xsd"]),
    ],
    swiftLanguageModes: [.v6]
)

// The targets of scripts/fuzz, for it alone: everything is built with libFuzzer's coverage then.
if Context.environment["MUXSH_FUZZ"] != nil {
    let coverage = [SwiftSetting.unsafeFlags(["-sanitize=fuzzer", "-parse-as-library", "-enable-testing"])]
    let modules = ["Script", "Functions", "Options", "Wire", "Sockets", "Sessions", "Engine", "Commands", "Terminal"]
    for target in package.targets where modules.contains(target.name) { target.swiftSettings = coverage }
    package.targets.removeAll { $0.type == .test }
    package.products.append(.executable(name: "fuzz", targets: ["fuzz"]))
    package.targets.append(
        .executableTarget(
            name: "fuzz",
            dependencies: [
                "Commands", "Engine", "Functions", "Options", "Reactor", "Results", "Script", "Sessions", "Sockets",
                "Terminal", "TestSupport", "VM", "Wire",
            ],
            path: "Tests", exclude: notEngineTests, sources: ["Fuzz/Targets", "EngineTests/Stage.swift"],
            swiftSettings: coverage,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]))
}
