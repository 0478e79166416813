// SPDX-License-Identifier: Apache-2.0
// What a setting is: declared once, in `SettingTable`, and read from there by flags, variables, the file, the help, the
// dump and the reference page. A new setting is one entry of that table.

/// One setting that has a single value or a list of like values.
struct Setting: Sendable {
    typealias Place<Value> = any WritableKeyPath<Configuration, Value> & Sendable

    /// The type of a setting's value, its range, and where it is kept.
    enum Kind: Sendable {
        case whole(ClosedRange<Int>, Place<Int>)
        /// Milliseconds.
        case duration(ClosedRange<Int>, Place<Int>)
        /// Seconds, written as a duration.
        case seconds(ClosedRange<Int>, Place<Int>)
        /// Bytes.
        case size(ClosedRange<Int>, Place<Int>)
        /// Bytes or `none`.
        case sizeOrNone(Place<UInt64?>)
        /// A file's path or, in the file, null.
        case path(Place<String?>)
        /// `true` or `false`; the flag alone means true.
        case truth(Place<Bool>)
        case choice(Choice)
        case ranges(Place<[Configuration.AddressRange]>)
        /// The port of the one plain listener that flags and variables can name.
        case port
        /// The port of the one TLS listener that they can name.
        case tlsPort
        /// The address of both.
        case address
        /// The paths of certificates that flags and variables name.
        case certificates
        /// The paths of their keys.
        case keys
        /// The servers of the pool that flags and variables can name.
        case servers

        /// One word of those that a type has.
        static func choice<Value: RawRepresentable<String> & CaseIterable & Sendable>(_ place: Place<Value>) -> Kind {
            .choice(Choice(place))
        }
    }

    /// A value that is one of several words.
    struct Choice: Sendable {
        let words: [String]
        let word: @Sendable (Configuration) -> String
        /// Keeps the value of a word; other words change nothing.
        let keep: @Sendable (String, inout Configuration) -> Void

        init<Value: RawRepresentable<String> & CaseIterable & Sendable>(_ place: Place<Value>) {
            words = Value.allCases.map(\.rawValue)
            word = { $0[keyPath: place].rawValue }
            keep = { word, configuration in
                if let value = Value(rawValue: word) { configuration[keyPath: place] = value }
            }
        }
    }

    /// Headings of the help and the reference page.
    enum Group: String, CaseIterable, Sendable {
        case listening = "Listening"
        case tls = "TLS"
        case upstream = "Upstream servers"
        case upstreamTLS = "TLS with upstream servers"
        case timeouts = "Timeouts"
        case limits = "Limits"
        case log = "Access log"
    }

    /// The flag without its dashes.
    let flag: String
    /// The way to it in the file, such as `timeouts`, `header`; empty where the file says it in another way.
    let keys: [String]
    let group: Group
    let kind: Kind
    /// One sentence.
    let summary: String

    /// The flag as given.
    var flagText: String { "--" + flag }
    /// `GATEWAY_` and the flag in capitals.
    var variable: String { "GATEWAY_" + flag.uppercased().replacing("-", with: "_") }
    /// The key with its group: `timeouts.header`.
    var key: String { keys.joined(separator: ".") }
    /// May be given several times, and its values add up.
    var isRepeatable: Bool {
        switch kind {
        case .ranges, .certificates, .keys, .servers: true
        default: false
        }
    }
}

/// The configuration while it is being put together, and where each of its values came from.
struct Draft {
    var configuration: Configuration
    /// From `--port`, `--tls-port`, `--bind`, `--cert`, `--key` and `--upstream` or their variables.
    var port: UInt16?
    var tlsPort: UInt16?
    var address: String?
    var certificates: [String] = []
    var keys: [String] = []
    var servers: [Configuration.Server] = []
    /// By the setting's flag, or by the key of a part that only the file has. What is missing is a default.
    var sources: [String: SettingsProblem.Source] = [:]
    /// What was given, but wrongly, named as in `sources`: nobody should be told that it is missing.
    var refused: Set<String> = []
}

extension Setting {
    /// Forgets the values of a repeatable setting, so that those of a stronger source replace them.
    func clear(in draft: inout Draft) {
        switch kind {
        case .ranges(let place): draft.configuration[keyPath: place] = []
        case .certificates: draft.certificates = []
        case .keys: draft.keys = []
        case .servers: draft.servers = []
        default: break
        }
    }

    /// Reads a value and keeps it; a repeatable setting adds it to those it has.
    func store(_ text: String, in draft: inout Draft) throws(Refusal) {
        switch kind {
        case .whole(let range, let place):
            draft.configuration[keyPath: place] = try Quantities.whole(text, in: range)
        case .duration(let range, let place):
            let example = Configuration()[keyPath: place]
            draft.configuration[keyPath: place] = try Quantities.duration(text, in: range, such: example)
        case .seconds(let range, let place):
            draft.configuration[keyPath: place] = try Quantities.seconds(text, in: range, such: 31_536_000)
        case .size(let range, let place):
            let example = Configuration()[keyPath: place]
            draft.configuration[keyPath: place] = try Quantities.size(text, in: range, such: example)
        case .sizeOrNone(let place): draft.configuration[keyPath: place] = try sizeOrNone(text)
        case .path(let place): draft.configuration[keyPath: place] = try Self.path(text)
        case .truth(let place): draft.configuration[keyPath: place] = try Quantities.truth(text)
        case .choice(let choice):
            guard choice.words.contains(text) else {
                throw Refusal(
                    "expected one of \(choice.words.joined(separator: ", ")); found \(quoted(text))"
                        + suggestion(for: text, among: choice.words))
            }
            choice.keep(text, &draft.configuration)
        case .ranges(let place):
            for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                draft.configuration[keyPath: place] += try Addresses.ranges(part.trimmed)
            }
        case .port: draft.port = UInt16(try Quantities.whole(text, in: 0...65_535))
        case .tlsPort: draft.tlsPort = UInt16(try Quantities.whole(text, in: 0...65_535))
        case .certificates:
            let path = try Self.path(text)
            guard !draft.certificates.contains(path) else { throw Refusal("\(quoted(path)) is given twice") }
            draft.certificates.append(path)
        // Two certificates, such as an old one and its renewal, may well have the same key.
        case .keys: draft.keys.append(try Self.path(text))
        case .address: draft.address = try Addresses.listen(text)
        case .servers: try storeServer(text, in: &draft)
        }
    }

    private func sizeOrNone(_ text: String) throws(Refusal) -> UInt64? {
        if text == "none" { return nil }
        guard let size = Quantities.size(text) else {
            throw Refusal("expected a size, such as 10m, or the word none; found \(quoted(text))")
        }
        return UInt64(size)
    }

    /// The path of a file. Whether there is one is not looked at.
    static func path(_ text: String) throws(Refusal) -> String {
        guard !text.isEmpty else { throw Refusal("expected the path of a file; found \"\"") }
        guard !text.utf8.contains(0) else { throw Refusal("a path has no NUL") }
        return text
    }

    private func storeServer(_ text: String, in draft: inout Draft) throws(Refusal) {
        let server = try ServerText.server(text)
        guard !draft.servers.contains(where: { $0.authority == server.authority }) else {
            throw Refusal("\(server.authority) is given twice")
        }
        draft.servers.append(server)
    }

    /// The value as the file has it, unless the file has it in another way.
    func fileText(in configuration: Configuration) -> String? {
        switch kind {
        case .whole(_, let place): "\(configuration[keyPath: place])"
        case .duration(_, let place): Quantities.text(ofDuration: configuration[keyPath: place])
        case .seconds(_, let place): Quantities.text(ofDuration: configuration[keyPath: place] * 1_000)
        case .size(_, let place): Quantities.text(ofSize: configuration[keyPath: place])
        case .sizeOrNone(let place):
            configuration[keyPath: place].map { Quantities.text(ofSize: Int(clamping: $0)) } ?? "none"
        case .path(let place): configuration[keyPath: place].map(YAMLText.string) ?? "null"
        case .truth(let place): "\(configuration[keyPath: place])"
        case .choice(let choice): Self.fileText(of: choice.word(configuration))
        case .ranges(let place):
            "[" + configuration[keyPath: place].map { YAMLText.string(Addresses.text(of: $0)) }.joined(separator: ", ")
                + "]"
        case .port, .tlsPort, .address, .certificates, .keys, .servers: nil
        }
    }

    /// A word that looks like a number stands in quotes, so that other readers of YAML take it for a word too.
    private static func fileText(of word: String) -> String {
        word.contains(where: \.isNumber) ? YAMLText.string(word) : word
    }

    /// The flag with what follows it.
    var usage: String {
        if case .truth = kind { "\(flagText)[=true|false]" } else { "\(flagText) \(placeholder)" }
    }

    /// What stands for the value in the help.
    var placeholder: String {
        switch kind {
        case .whole, .port, .tlsPort: "N"
        case .duration, .seconds: "DURATION"
        case .size, .sizeOrNone: "SIZE"
        case .path, .certificates, .keys: "FILE"
        case .truth: "true|false"
        case .choice(let choice): choice.words.joined(separator: "|")
        case .ranges: "CIDR[,CIDR...]"
        case .address: "ADDR"
        case .servers: "http[s]://HOST[:PORT][,weight=N][,backup]"
        }
    }

    /// The values it may have, in words.
    var rangeText: String {
        switch kind {
        case .whole(let range, _): "\(range.lowerBound) to \(range.upperBound)"
        case .duration(let range, _):
            "\(Quantities.text(ofDuration: range.lowerBound)) to \(Quantities.text(ofDuration: range.upperBound))"
        case .seconds(let range, _):
            "\(Quantities.text(ofDuration: range.lowerBound * 1_000)) to "
                + Quantities.text(ofDuration: range.upperBound * 1_000)
        case .size(let range, _):
            "\(Quantities.text(ofSize: range.lowerBound)) to \(Quantities.text(ofSize: range.upperBound))"
        case .sizeOrNone: "a size or `none`"
        case .path: "a path"
        case .certificates, .keys: "a path; repeatable"
        case .truth: "`true`, `false`"
        case .choice(let choice): choice.words.map { "`\($0)`" }.joined(separator: ", ")
        case .ranges: "address blocks, `loopback`, `private`; repeatable"
        case .port, .tlsPort: "0 to 65535; 0 lets the system choose"
        case .address: "a numeric address"
        case .servers: "weight 1 to 256; repeatable"
        }
    }

    /// The default in words.
    var defaultText: String {
        switch kind {
        case .port: "8080"
        case .address: "::, every address of both families"
        case .tlsPort, .servers, .path: "none"
        case .certificates: "none; a self-signed one is made at start"
        case .keys: "none; each key is in its certificate's file"
        case .choice(let choice): choice.word(Configuration())
        case .ranges: "none"
        case .whole where keys == ["workers"]: "one per core"
        default: fileText(in: Configuration()) ?? "none"
        }
    }
}

extension Configuration.UpstreamTLS {
    /// `verifies` as operators say it: the dangerous choice is the one that has to be spelt out.
    var skipsVerification: Bool {
        get { !verifies }
        set { verifies = !newValue }
    }
}

extension Substring {
    /// Without spaces round it.
    var trimmed: String {
        let start = drop { $0 == " " || $0 == "\t" }
        var end = start
        while let last = end.last, last == " " || last == "\t" { end = end.dropLast() }
        return String(end)
    }
}
