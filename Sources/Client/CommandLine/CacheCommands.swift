// SPDX-License-Identifier: Apache-2.0
// `client flush` and `client cache …`.

import Bytes
import CachePolicy
import CacheStore
import Engine
import Glibc

/// What a user does with the cache itself.
struct CacheCommands {
    private let cache: ClientCache

    init(_ options: CommandLineOptions, _ variable: (String) -> String?) throws(ClientFailure) {
        guard let path = options.cacheFolder ?? ClientCache.standardPath(variable) else {
            throw .usage(
                "there is no cache folder: neither XDG_CACHE_HOME nor HOME is set; --cache-dir FOLDER names one")
        }
        cache = try ClientCache(path: path, limit: options.cacheLimit)
    }

    /// Deletes everything, or what is stored for these URLs, and says what that freed.
    func flush(_ urls: [String]) throws(ClientFailure) -> Int32 {
        let freed: (count: Int, bytes: Int)
        if urls.isEmpty {
            freed = cache.flush()
        } else {
            var sum = (count: 0, bytes: 0)
            for text in urls {
                let one = cache.flush(try hash(text))
                sum = (sum.count + one.count, sum.bytes + one.bytes)
            }
            freed = sum
        }
        CacheSpace(cache).recount()
        let what = freed.count == 1 ? "1 response" : "\(freed.count) responses"
        try print("\(what) flushed, \(ProgressBar.size(Double(freed.bytes))) freed\n")
        return 0
    }

    private func hash(_ text: String) throws(ClientFailure) -> CacheHash {
        do throws(HTTPURL.Failure) {
            guard let hash = RequestKey.hash(of: try HTTPURL(text)) else {
                throw HTTPURL.Failure.malformed("nothing can be stored under it")
            }
            return hash
        } catch { throw .badURL(text, error) }
    }

    /// `list`, `show URL` or `stat`.
    func run(_ verb: String, _ words: [String]) throws(ClientFailure) -> Int32 {
        switch verb {
        case "show": return try show(words)
        case "stat": try stat()
        default: try list()
        }
        return 0
    }

    private func list() throws(ClientFailure) {
        let now = WallClock.milliseconds
        var lines: [(url: String, text: String)] = []
        for file in CacheSpace(cache).files() {
            guard let entry = CacheEntry(file.place, in: cache.folder) else { continue }
            let size = Self.padded(ProgressBar.size(Double(entry.length)), 10)
            let state = Self.padded(Self.state(entry, now), 22)
            lines.append((entry.url, "\(entry.policy.status)  \(size)  \(state)  \(Escaping.plain(entry.url))"))
        }
        try print(lines.sorted { $0.url < $1.url }.map { $0.text + "\n" }.joined())
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    /// `fresh for 0:59`, `stale since 1:00`, `to be validated`.
    private static func state(_ entry: CacheEntry, _ now: Int64) -> String {
        if entry.policy.flags.contains(.noCache) { return "to be validated" }
        let ttl = entry.policy.ttl(at: now)
        return ttl > 0
            ? "fresh for \(ProgressBar.time(Double(ttl)))" : "stale since \(ProgressBar.time(Double(-ttl)))"
    }

    private func show(_ urls: [String]) throws(ClientFailure) -> Int32 {
        guard !urls.isEmpty else { throw .usage("client cache show: a URL is missing") }
        let now = WallClock.milliseconds
        var isMissing = false
        for text in urls {
            var found = 0
            for place in cache.places(try hash(text)) {
                guard let entry = CacheEntry(place, in: cache.folder) else { continue }
                found += 1
                var lines =
                    "\(Escaping.plain(entry.url)): \(Self.state(entry, now)), \(entry.policy.age(at: now)) seconds old, "
                lines += "\(entry.length) bytes\n"
                if !entry.varyNames.isEmpty {
                    lines += "  for requests with the same \(String(decoding: entry.varyNames, as: UTF8.self))\n"
                }
                lines += "  \(cache.path)/\(place.path)\n"
                lines += SecretFields.lines(entry.bytes).map { "  \($0)\n" }.joined()
                try print(lines)
            }
            isMissing = isMissing || found == 0
            if found == 0 { try print("\(Escaping.plain(text)): nothing is stored\n") }
        }
        return isMissing ? 4 : 0
    }

    private func stat() throws(ClientFailure) {
        let files = CacheSpace(cache).files()
        let now = WallClock.milliseconds
        let bytes = files.reduce(0) { $0 + $1.bytes }
        let fresh = files.count { file in
            guard let entry = CacheEntry(file.place, in: cache.folder) else { return false }
            return !entry.policy.flags.contains(.noCache) && entry.policy.ttl(at: now) > 0
        }
        try print(
            """
            folder     \(cache.path)
            responses  \(files.count), \(fresh) of them fresh
            size       \(ProgressBar.size(Double(bytes))) of \(ProgressBar.size(Double(cache.limit)))

            """)
    }

    private func print(_ text: String) throws(ClientFailure) {
        let bytes = Array(text.utf8)
        try WholeWrite.all(bytes.span, to: STDOUT_FILENO, named: "standard output")
    }
}
