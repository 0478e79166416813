// SPDX-License-Identifier: Apache-2.0
// What a setting is: declared once, in `SettingTable`, and read from there by flags, variables, the file, the help, the
// dump and the reference page. A new setting is one entry of that table.

/// One setting that has a single value or a list of like values.
struct Setting: Sendable {
    typealias Place<Value> = any WritableKeyPath<Configuration, Value> & Sendable

    /// The type of a setting's value, its range, and where it is kept.
    enum Kind: Sendable {
        case whole(ClosedRange<Int>, Place<Int>)
        /// The same or `none`.
        case wholeOrNone(ClosedRange<Int>, Place<Int?>)
        /// Milliseconds.
        case duration(ClosedRange<Int>, Place<Int>)
        /// Seconds, written as a duration, and an example for who writes it wrongly.
        case seconds(ClosedRange<Int>, such: Int, Place<Int>)
        /// Bytes.
        case size(ClosedRange<Int>, Place<Int>)
        /// Bytes or `none`.
        case sizeOrNone(Place<UInt64?>)
        /// A file's path or, in the file, null.
        case path(Place<String?>)
        /// A directory's path or, in the file, null.
        case directory(Place<String?>)
        /// `true` or `false`; the flag alone means true.
        case truth(Place<Bool>)
        /// The same, but flag and variable say the opposite of what the file says: `--no-cache` is `enabled: false`.
        case negated(Place<Bool>)
        case choice(Choice)
        /// A text or, in the file, null.
        case text(Text, Place<String?>)
        /// Statuses and ranges of them, separated by commas.
        case statuses(Place<Configuration.StatusRanges>)
        /// Numeric addresses with ports, 53 where none is named.
        case endpoints(Place<[Configuration.Endpoint]>)
        /// Requests per minute; 0 for none.
        case rate(Place<Int>)
        case ranges(Place<[Configuration.AddressRange]>)
        /// An address and a port or, in the file, null.
        case endpoint(Place<Configuration.Endpoint?>)
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

    /// What a text may be.
    struct Text: Sendable {
        /// What stands for it in the help.
        let placeholder: String
        /// What it is, in words that follow "expected".
        let expected: String
        /// Whoever knows it can do what only the operator may: it is printed nowhere, right or wrong.
        var isSecret = false
        let isRight: @Sendable (String) -> Bool
    }

    /// Headings of the help and the reference page.
    enum Group: String, CaseIterable, Sendable {
        case listening = "Listening"
        case tls = "TLS"
        case upstream = "Upstream servers"
        case balancing = "Choosing and finding upstream servers"
        case health = "Health of upstream servers"
        case retries = "Retries"
        case upstreamTLS = "TLS with upstream servers"
        case cache = "Cache"
        case timeouts = "Timeouts"
        case limits = "Limits"
        case log = "Access log"
        case admin = "Admin address"
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
    /// Its flag alone means true.
    var isTruth: Bool {
        switch kind {
        case .truth, .negated: true
        default: false
        }
    }
    /// Its value is printed nowhere.
    var isSecret: Bool {
        switch kind {
        case .text(let text, _): text.isSecret
        default: false
        }
    }
    /// Whether this value of it is not to be shown, right or wrong.
    func hides(_ text: String) -> Bool { isSecret || carriesSecret(text) }
    /// The file may have null for it.
    var isNullable: Bool {
        switch kind {
        case .path, .directory, .endpoint, .text: true
        default: false
        }
    }
    /// A pool of the file may have its own value.
    var isOfPools: Bool { keys.first == Self.ofPools }
    /// The part of the file that holds the values of pools that have no others.
    static let ofPools = "upstream"
    /// May be given several times, and its values add up.
    var isRepeatable: Bool {
        switch kind {
        case .ranges, .endpoints, .certificates, .keys, .servers: true
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
    /// What pools of the file say themselves, in the order of the pools: settings and their texts, which have been checked.
    /// Kept back until flags and variables have said what holds for every pool.
    var poolValues: [[(setting: Setting, text: String?)]] = []
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
        case .endpoints(let place): draft.configuration[keyPath: place] = []
        case .text(_, let place): draft.configuration[keyPath: place] = nil
        case .certificates: draft.certificates = []
        case .keys: draft.keys = []
        case .servers: draft.servers = []
        default: break
        }
    }

    /// Reads a value of the file, or of a flag or variable, and keeps it; a repeatable setting adds it to those it has.
    func store(_ text: String, ofFile: Bool, in draft: inout Draft) throws(Refusal) {
        switch kind {
        case .whole(let range, let place):
            draft.configuration[keyPath: place] = try Quantities.whole(text, in: range)
        case .wholeOrNone(let range, let place):
            draft.configuration[keyPath: place] = text == "none" ? nil : try Quantities.whole(text, in: range)
        case .duration(let range, let place):
            let example = Configuration()[keyPath: place]
            draft.configuration[keyPath: place] = try Quantities.duration(text, in: range, such: example)
        case .seconds(let range, let example, let place):
            draft.configuration[keyPath: place] = try Quantities.seconds(text, in: range, such: example)
        case .size(let range, let place):
            let example = Configuration()[keyPath: place]
            draft.configuration[keyPath: place] = try Quantities.size(text, in: range, such: example)
        case .sizeOrNone(let place): draft.configuration[keyPath: place] = try sizeOrNone(text)
        case .path(let place): draft.configuration[keyPath: place] = try Self.path(text)
        case .directory(let place): draft.configuration[keyPath: place] = try Self.path(text, ofA: "directory")
        case .endpoint(let place): draft.configuration[keyPath: place] = try Configuration.Endpoint.read(text)
        case .truth(let place): draft.configuration[keyPath: place] = try Quantities.truth(text)
        case .negated(let place): draft.configuration[keyPath: place] = try Quantities.truth(text) == ofFile
        case .choice(let choice):
            guard choice.words.contains(text) else {
                throw Refusal(
                    "expected one of \(choice.words.joined(separator: ", ")); found \(quoted(text))"
                        + suggestion(for: text, among: choice.words))
            }
            choice.keep(text, &draft.configuration)
        case .text(let kind, let place):
            guard kind.isRight(text) else {
                let found = kind.isSecret ? "another, which is not shown" : quoted(text)
                throw Refusal("expected \(kind.expected); found \(found)")
            }
            draft.configuration[keyPath: place] = text
        case .statuses(let place):
            draft.configuration[keyPath: place] = try Configuration.StatusRanges(text)
        case .endpoints(let place):
            for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                draft.configuration[keyPath: place].append(try Quantities.endpoint(part.trimmed, port: 53))
            }
        case .rate(let place): draft.configuration[keyPath: place] = try Quantities.rate(text)
        case .ranges(let place):
            // A list that is not empty by default is emptied this way.
            if text == "none" { break }
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

    /// The path of a file or directory. Whether there is one is not looked at.
    static func path(_ text: String, ofA kind: String = "file") throws(Refusal) -> String {
        guard !text.isEmpty else { throw Refusal("expected the path of a \(kind); found \"\"") }
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
