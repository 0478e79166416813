// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// One place for the language the project is written in, so that no target drifts.
var language: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    // `@_lifetime` on the few functions that lend out a Span of memory they own.
    .enableExperimentalFeature("Lifetimes"),
    // Each use of something that the compiler cannot check is marked `unsafe`, and says why it is safe.
    .strictMemorySafety(),
    // Checks at run time that no two accesses to a property overlap make a proxied request cost half as much again. Debug
    // builds, which the tests and the sanitizers run, keep them; what the compiler can prove it checks in both.
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

// CI sets this; a newer compiler's new warnings must not stop anybody else's build.
if Context.environment["GATEWAY_STRICT"] != nil { language.append(.treatAllWarnings(as: .error)) }

// ThreadSanitizer does not see the standard library's lock (Sources/Bytes/Lock.swift).
if Context.environment["GATEWAY_SANITIZER"] == "thread" { language.append(.define("GATEWAY_THREAD_SANITIZER")) }

let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

// The targets stand in the order of a request's way, and each may import only what it names: CI builds with
// `--explicit-target-dependency-import-check error`.
let package = Package(
    name: "gateway",
    products: [
        .executable(name: "gateway", targets: ["GatewayCommand"]),
        .executable(name: "client", targets: ["ClientCommand"]),
        .executable(name: "origin", targets: ["OriginCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .target(name: "CLinux"),
        // Functions for OpenSSL's macros. `libssl-dev` provides the headers and libraries.
        .target(name: "COpenSSL", linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        // The same for zlib's, of `zlib1g-dev`.
        .target(name: "CZlib", linkerSettings: [.linkedLibrary("z")]),
        .target(name: "Bytes", swiftSettings: language),
        .target(name: "Engine", dependencies: ["CLinux", "Bytes"], swiftSettings: language),
        .target(name: "CacheStore", dependencies: ["Engine", "Bytes", "CLinux"], swiftSettings: language),
        .target(name: "HTTP", dependencies: ["Bytes"], swiftSettings: language),
        .target(name: "CachePolicy", dependencies: ["HTTP", "Bytes"], swiftSettings: language),
        .target(name: "ContentCoding", dependencies: ["CZlib", "HTTP", "Bytes"], swiftSettings: language),
        .target(
            name: "Settings", dependencies: ["Bytes", .product(name: "Yams", package: "Yams")], swiftSettings: language),
        .target(name: "TLS", dependencies: ["COpenSSL", "Engine", "Bytes"], swiftSettings: language),
        .target(name: "Serving", dependencies: ["TLS", "HTTP", "Engine", "Bytes", "CLinux"], swiftSettings: language),
        .target(
            name: "Upstream", dependencies: ["TLS", "Settings", "HTTP", "Engine", "Bytes", "CLinux"],
            swiftSettings: language),
        .target(
            name: "Proxy",
            dependencies: [
                "Upstream", "Serving", "CacheStore", "CachePolicy", "ContentCoding", "TLS", "Settings", "HTTP",
                "Engine", "Bytes", "CLinux",
            ],
            swiftSettings: language),
        .target(
            name: "Control",
            dependencies: [
                "Proxy", "Upstream", "Serving", "CacheStore", "CachePolicy", "TLS", "Settings", "HTTP", "Engine",
                "Bytes",
                "CLinux",
            ],
            swiftSettings: language),
        .target(
            name: "Origin", dependencies: ["Serving", "HTTP", "Engine", "Bytes", "CLinux"], swiftSettings: language),
        .target(
            name: "Client",
            dependencies: [
                "CacheStore", "CachePolicy", "ContentCoding", "TLS", "HTTP", "Engine", "Bytes", "CLinux",
            ],
            swiftSettings: language),
        .executableTarget(
            name: "GatewayCommand",
            dependencies: ["Control", "Proxy", "Upstream", "Origin", "Serving", "Settings", "HTTP", "Engine", "Bytes"],
            swiftSettings: language),
        .executableTarget(name: "ClientCommand", dependencies: ["Client"], swiftSettings: language),
        .executableTarget(
            name: "OriginCommand", dependencies: ["Origin", "Serving", "Engine", arguments], swiftSettings: language),
        .target(name: "SanitizerOptions", path: "Tests/SanitizerOptions"),
        .target(
            name: "TestSupport",
            dependencies: ["SanitizerOptions", "COpenSSL", "Control", "Proxy", "Settings", "Engine", "Bytes"],
            path: "Tests/TestSupport",
            swiftSettings: language),
        .target(
            name: "Chaos", dependencies: ["TestSupport", "ContentCoding", "Settings", "Bytes"], path: "Tests/Chaos",
            swiftSettings: language),
        // No product: scripts/chaos.sh runs it.
        .executableTarget(
            name: "ChaosCommand", dependencies: ["Chaos"], path: "Tests/ChaosCommand", swiftSettings: language),
        .testTarget(name: "BytesTests", dependencies: ["Bytes"], swiftSettings: language),
        .testTarget(name: "EngineTests", dependencies: ["Engine", "Bytes", "TestSupport"], swiftSettings: language),
        .testTarget(
            name: "CacheStoreTests", dependencies: ["CacheStore", "Engine", "Bytes", "TestSupport"],
            swiftSettings: language),
        .testTarget(name: "HTTPTests", dependencies: ["HTTP", "Bytes"], swiftSettings: language),
        .testTarget(
            name: "CachePolicyTests", dependencies: ["CachePolicy", "HTTP", "Bytes", "TestSupport"],
            swiftSettings: language),
        .testTarget(
            name: "ContentCodingTests", dependencies: ["ContentCoding", "HTTP", "Bytes", "TestSupport"],
            swiftSettings: language),
        .testTarget(
            name: "ClientTests", dependencies: ["Client", "ClientCommand", "Bytes", "TestSupport"],
            swiftSettings: language),
        .testTarget(
            name: "OriginTests", dependencies: ["Origin", "Engine", "TestSupport"], swiftSettings: language),
        .testTarget(
            name: "TLSTests", dependencies: ["TLS", "COpenSSL", "Engine", "Bytes", "TestSupport"],
            swiftSettings: language),
        .testTarget(
            name: "ServingTests", dependencies: ["Serving", "Engine", "Bytes", "TestSupport"],
            swiftSettings: language),
        .testTarget(name: "SettingsTests", dependencies: ["Settings", "TestSupport"], swiftSettings: language),
        .testTarget(
            name: "UpstreamTests",
            dependencies: ["TestSupport", "Upstream", "Settings", "TLS", "HTTP", "Engine", "Bytes"],
            swiftSettings: language),
        .testTarget(
            name: "ChaosTests", dependencies: ["Chaos", "TestSupport", "Settings", "Bytes"], swiftSettings: language),
        .testTarget(
            name: "ProxyTests",
            dependencies: [
                "TestSupport", "GatewayCommand", "Control", "Proxy", "Upstream", "ContentCoding", "Settings", "HTTP",
                "Engine",
                "Bytes",
            ],
            swiftSettings: language),
    ]
)
