// SPDX-License-Identifier: Apache-2.0
// What is written of a setting: its value in a dump, and its usage, values and default in the help and the reference.

extension Setting {
    /// The value as the file has it, unless the file has it in another way.
    func fileText(in configuration: Configuration) -> String? {
        switch kind {
        case .whole(_, let place): "\(configuration[keyPath: place])"
        case .wholeOrNone(_, let place): configuration[keyPath: place].map { "\($0)" } ?? "none"
        case .duration(_, let place): Quantities.text(ofDuration: configuration[keyPath: place])
        case .seconds(_, _, let place): Quantities.text(ofDuration: configuration[keyPath: place] * 1_000)
        case .size(_, let place): Quantities.text(ofSize: configuration[keyPath: place])
        case .sizeOrNone(let place):
            configuration[keyPath: place].map { Quantities.text(ofSize: Int(clamping: $0)) } ?? "none"
        case .path(let place), .directory(let place):
            configuration[keyPath: place].map(YAMLText.string) ?? "null"
        case .endpoint(let place): configuration[keyPath: place].map { YAMLText.string($0.text) } ?? "null"
        case .text(_, let place): configuration[keyPath: place].map(YAMLText.string) ?? "null"
        case .statuses(let place): YAMLText.string(configuration[keyPath: place].text)
        case .truth(let place), .negated(let place): "\(configuration[keyPath: place])"
        case .choice(let choice): Self.fileText(of: choice.word(configuration))
        case .ranges(let place):
            "[" + configuration[keyPath: place].map { YAMLText.string(Addresses.text(of: $0)) }.joined(separator: ", ")
                + "]"
        case .endpoints(let place):
            "[" + configuration[keyPath: place].map { YAMLText.string($0.text) }.joined(separator: ", ") + "]"
        case .rate(let place): Quantities.text(ofRate: configuration[keyPath: place])
        case .port, .tlsPort, .address, .certificates, .keys, .servers: nil
        }
    }

    /// A word that looks like a number stands in quotes, so that other readers of YAML take it for a word too.
    private static func fileText(of word: String) -> String {
        word.contains(where: \.isNumber) ? YAMLText.string(word) : word
    }

    /// The flag with what follows it.
    var usage: String {
        isTruth ? "\(flagText)[=true|false]" : "\(flagText) \(placeholder)"
    }

    /// What stands for the value in the help.
    var placeholder: String {
        switch kind {
        case .whole, .wholeOrNone, .port, .tlsPort: "N"
        case .duration, .seconds: "DURATION"
        case .size, .sizeOrNone: "SIZE"
        case .path, .certificates, .keys: "FILE"
        case .directory: "DIR"
        case .endpoint: "[ADDR:]PORT"
        case .truth, .negated: "true|false"
        case .choice(let choice): choice.words.joined(separator: "|")
        case .ranges: "CIDR[,CIDR...]"
        case .endpoints: "ADDR[:PORT][,...]"
        case .rate: "RATE"
        case .text(let kind, _): kind.placeholder
        case .statuses: "STATUS[-STATUS][,...]"
        case .address: "ADDR"
        case .servers: "http[s]://HOST[:PORT][,weight=N][,backup]"
        }
    }

    /// The values it may have, in words.
    var rangeText: String {
        switch kind {
        case .whole(let range, _): "\(range.lowerBound) to \(range.upperBound)"
        case .wholeOrNone(let range, _): "\(range.lowerBound) to \(range.upperBound), `none`"
        case .duration(let range, _):
            "\(Quantities.text(ofDuration: range.lowerBound)) to \(Quantities.text(ofDuration: range.upperBound))"
        case .seconds(let range, _, _):
            "\(Quantities.text(ofDuration: range.lowerBound * 1_000)) to "
                + Quantities.text(ofDuration: range.upperBound * 1_000)
        case .size(let range, _):
            "\(Quantities.text(ofSize: range.lowerBound)) to \(Quantities.text(ofSize: range.upperBound))"
        case .sizeOrNone: "a size or `none`"
        case .path, .directory: "a path"
        case .endpoint: "a numeric address and a port; without an address, 127.0.0.1"
        case .certificates, .keys: "a path; repeatable"
        case .truth: "`true`, `false`"
        case .negated: "`true`, `false`; the opposite in the file"
        case .choice(let choice): choice.words.map { "`\($0)`" }.joined(separator: ", ")
        case .endpoints: "numeric addresses, port 53 where none is named; repeatable"
        case .rate: "`1r/m` to `1000000r/s`, `none`"
        case .text(let kind, _): kind.expected
        case .statuses: "statuses from 100 to 599 and ranges of them, `none`"
        case .ranges: "address blocks, `loopback`, `private`; `none`; repeatable"
        case .port, .tlsPort: "0 to 65535; 0 lets the system choose"
        case .address: "a numeric address"
        case .servers: "weight 1 to 256; repeatable"
        }
    }

    /// The default in words.
    var defaultText: String {
        switch kind {
        case .port: "8080; none where there is --tls-port"
        case .address: "::, every address of both families"
        case .tlsPort, .servers, .path, .endpoint: "none"
        case .endpoints: "none; the system's resolver"
        case .text(_, let place): Configuration()[keyPath: place] ?? "none"
        case .statuses(let place): Configuration()[keyPath: place].text
        case .certificates: "none; a self-signed one is made at start"
        case .keys: "none; each key is in its certificate's file"
        case .choice(let choice): choice.word(Configuration())
        case .ranges(let place): Addresses.summary(of: Configuration()[keyPath: place])
        case .negated(let place): "\(!Configuration()[keyPath: place]); \(Configuration()[keyPath: place]) in the file"
        case .directory: "gateway in $XDG_CACHE_HOME, else in ~/.cache, else in /var/cache"
        case .whole where keys == ["workers"]: "one per core"
        default: fileText(in: Configuration()) ?? "none"
        }
    }
}
