// SPDX-License-Identifier: Apache-2.0
// What is asked of the admin address: pure, from a target to a call or to a sentence about what is wrong with it.
//
//   GET  /                        what there is
//   GET  /cache                   what the cache holds and has done
//   GET  /cache/explain?url=URL   what is stored for a URL, and what the next request for it would do
//   POST /cache/purge?url=URL     and ?prefix=URL/, ?host=HOST, ?tag=TAG, ?all
//   GET  /upstreams               pools and their servers
//   POST /upstreams/POOL/add?server=URL[,weight=N][,backup]
//   POST /upstreams/POOL/SERVER/drain, /undrain, /remove, /weight?to=N

import Bytes
import HTTP
import Proxy

/// A call of the admin address.
enum AdminCall: Equatable {
    case help
    case cache
    /// The URL, as it would be asked for.
    case explain(url: [UInt8])
    case purge(Purge)
    case upstreams
    /// A server for a pool, written as in the settings.
    case add(pool: String, server: String)
    /// What is to become of a server.
    case change(pool: String, server: String, Change)

    /// What an operator does with a server.
    enum Change: Equatable {
        case drain, undrain, remove
        case weight(Int)
    }

    /// What a purge is to find.
    enum Purge: Equatable {
        case url([UInt8])
        case prefix([UInt8])
        case host([UInt8])
        case tag([UInt8])
        case all
    }

    /// Why there is no such call.
    struct Problem: Error, Equatable {
        var status: UInt16
        var sentence: String
        /// The methods that there are, for `Allow`.
        var allow: StaticString?

        init(_ status: UInt16, _ sentence: String, allow: StaticString? = nil) {
            self.status = status
            self.sentence = sentence
            self.allow = allow
        }

        static func == (left: Problem, right: Problem) -> Bool {
            left.status == right.status && left.sentence == right.sentence
        }
    }

    /// Reads a call from the method, the path and the query, which is empty where there is none.
    static func read(_ method: Method, path: Span<UInt8>, query: Span<UInt8>) throws(Problem) -> AdminCall {
        let isReading = method == .get || method == .head
        if path.equals("/cache/purge") {
            guard method == .post else { throw Problem(405, "To purge is a POST.", allow: "POST") }
            return .purge(try purge(query))
        }
        if path.count > 11, path.extracting(0..<11).equals("/upstreams/") {
            guard method == .post else { throw Problem(405, "To change an upstream server is a POST.", allow: "POST") }
            return try upstream(text(path.extracting(11...)), query)
        }
        let call: AdminCall
        if path.equals("/") {
            call = .help
        } else if path.equals("/cache") {
            call = .cache
        } else if path.equals("/upstreams") {
            call = .upstreams
        } else if path.equals("/cache/explain") {
            guard isReading else { throw Problem(405, "To explain is a GET.", allow: "GET, HEAD") }
            guard case ("url", let url?)? = try parameter(query) else {
                throw Problem(400, "Which URL? /cache/explain?url=http://host/path")
            }
            return .explain(url: url)
        } else {
            throw Problem(404, "There is no such call; / lists those that there are.")
        }
        guard isReading else { throw Problem(405, "This is a GET.", allow: "GET, HEAD") }
        return call
    }

    private static func upstream(_ rest: String, _ query: Span<UInt8>) throws(Problem) -> AdminCall {
        let parts = rest.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let given = try parameter(query)
        if parts.count == 2, parts[1] == "add" {
            guard case ("server", let value?)? = given else {
                throw Problem(400, "Which server? /upstreams/POOL/add?server=http://192.0.2.1:8080,weight=2")
            }
            return .add(pool: parts[0], server: String(decoding: value, as: UTF8.self))
        }
        guard parts.count == 3 else {
            throw Problem(404, "A server is changed at /upstreams/POOL/SERVER/drain, undrain, remove or weight.")
        }
        let change: Change
        switch parts[2] {
        case "drain": change = .drain
        case "undrain": change = .undrain
        case "remove": change = .remove
        case "weight":
            guard case ("to", let value?)? = given, let weight = Int(String(decoding: value, as: UTF8.self)),
                (0...256).contains(weight)
            else { throw Problem(400, "Which weight? ?to=N, 0 to 256.") }
            change = .weight(weight)
        default: throw Problem(404, "What may be done with a server: drain, undrain, remove, weight.")
        }
        return .change(pool: parts[0], server: parts[1], change)
    }

    private static func purge(_ query: Span<UInt8>) throws(Problem) -> Purge {
        let given = try parameter(query)
        switch given {
        case ("all", nil)?: return .all
        case ("url", let value?)?: return .url(value)
        case ("prefix", let value?)?: return .prefix(value)
        case ("host", let value?)?: return .host(value)
        case ("tag", let value?)?: return .tag(value)
        default: throw Problem(400, "Purge what? One of ?url=URL, ?prefix=URL/, ?host=HOST, ?tag=TAG, ?all.")
        }
    }

    /// The query's one parameter. Its value goes to the end, so a URL with a query of its own can stand there as it is; one that is
    /// percent-encoded as a whole is decoded.
    private static func parameter(_ query: Span<UInt8>) throws(Problem) -> (name: String, value: [UInt8]?)? {
        guard !query.isEmpty else { return nil }
        guard let equals = query.firstIndex(of: UInt8(ascii: "=")) else { return (text(query), nil) }
        let value = query.extracting((equals + 1)...)
        let name = text(query.extracting(..<equals))
        guard !value.isEmpty else { throw Problem(400, "The parameter \(name) is empty.") }
        let isPlainURL = name != "tag" && name != "host" && contains(value, "://")
        guard !isPlainURL else { return unsafe (name, value.withUnsafeBufferPointer { unsafe Array($0) }) }
        guard let decoded = decoded(value) else {
            throw Problem(400, "The parameter \(name) has a percent sign that two hexadecimal digits do not follow.")
        }
        return (name, decoded)
    }

    private static func text(_ bytes: Span<UInt8>) -> String {
        unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }

    private static func contains(_ bytes: Span<UInt8>, _ part: StaticString) -> Bool {
        let count = part.utf8CodeUnitCount
        guard bytes.count >= count else { return false }
        for start in 0...(bytes.count - count) where bytes.extracting(start..<start + count).equals(part) {
            return true
        }
        return false
    }

    private static func decoded(_ bytes: Span<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%") {
                guard index + 2 < bytes.count else { return nil }
                let (high, low) = (bytes[index + 1].hexadecimalValue, bytes[index + 2].hexadecimalValue)
                guard high < 16, low < 16 else { return nil }
                result.append(high << 4 | low)
                index += 3
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return result
    }
}
