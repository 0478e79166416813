// SPDX-License-Identifier: Apache-2.0
// The cookies of one command, and the file they are kept in (Netscape's format, which curl and wget share).

import Bytes
import Engine
import Glibc
import Synchronization

/// Cookies of all hosts. Shared by the threads of a command.
public final class CookieJar: Sendable {
    /// Most cookies (RFC 6265 section 6.1 asks for 3000 at least).
    private let limit: Int
    /// Most cookies of one domain.
    static let domainLimit = 150
    /// Most cookies in one request, and the longest Cookie field, in bytes.
    static let sentLimit = 150
    static let fieldLimit = 8_190
    /// Most cookies that one response may set.
    static let setLimit = 50

    private let cookies = Lock<[Cookie]>([])
    private let ignoresFile: Bool
    /// What `-b NAME=VALUE` gave: for every request, as it is.
    private let literal: [String]

    /// An empty jar. `ignoresSessionCookies`: those without a date are left out of what is read (`-j`).
    public convenience init(literal: [String] = [], ignoresSessionCookies: Bool = false) {
        self.init(literal: literal, ignoresSessionCookies: ignoresSessionCookies, limit: 3_000)
    }

    init(literal: [String] = [], ignoresSessionCookies: Bool = false, limit: Int) {
        self.limit = limit
        self.literal = literal
        ignoresFile = ignoresSessionCookies
    }

    /// Takes what a response from `url` sets.
    func take(_ values: [String], from url: HTTPURL, now: Int64) {
        for value in values.prefix(Self.setLimit) {
            guard let cookie = Cookie(parsing: value, from: url, now: now) else { continue }
            add(cookie, isTrusted: CookieDomain.isTrustworthy(url), now: now)
        }
    }

    private func add(_ cookie: Cookie, isTrusted: Bool, now: Int64) {
        cookies.withLock { all in
            // What came over TLS is not overlaid by what did not (RFC 6265bis section 5.7, "leave secure cookies alone").
            if !isTrusted, all.contains(where: { $0.isSecure && $0.name == cookie.name && Self.overlap($0, cookie) }) {
                return
            }
            let place = all.firstIndex { $0.isSame(as: cookie) }
            guard !cookie.isExpired(now: now) else {
                if let place { all.remove(at: place) }
                return
            }
            if let place {
                all[place] = cookie
                return
            }
            if all.count >= limit { all.removeAll { $0.isExpired(now: now) } }
            if all.count(where: { $0.domain == cookie.domain }) >= Self.domainLimit,
                let oldest = all.firstIndex(where: { $0.domain == cookie.domain })
            {
                all.remove(at: oldest)
            }
            if all.count >= limit { all.removeFirst() }
            all.append(cookie)
        }
    }

    private static func overlap(_ kept: Cookie, _ new: Cookie) -> Bool {
        (CookieDomain.matches(kept.domain, new.domain) || CookieDomain.matches(new.domain, kept.domain))
            && Cookie.path(new.path, isIn: kept.path)
    }

    /// What `Cookie` says in a request to `url`; nil for no such field. `withholdsLiteral`: another host than the one that
    /// the command named.
    func field(for url: HTTPURL, withholdsLiteral: Bool, now: Int64) -> String? {
        var found = cookies.withLock { $0.filter { $0.applies(to: url, now: now) } }
        // Longer paths first; of equal ones the older (RFC 6265 section 5.4).
        found = found.enumerated().sorted {
            ($0.element.path.utf8.count, -$0.offset) > ($1.element.path.utf8.count, -$1.offset)
        }.map(\.element)
        var parts = found.prefix(Self.sentLimit).map { $0.name.isEmpty ? $0.value : "\($0.name)=\($0.value)" }
        if !withholdsLiteral { parts += literal }
        var result = ""
        for part in parts {
            guard result.utf8.count + part.utf8.count + 2 <= Self.fieldLimit else { break }
            result += result.isEmpty ? part : "; " + part
        }
        return result.isEmpty ? nil : result
    }

    /// Reads a file in Netscape's format, or one of Set-Cookie lines. A file that is not there is an empty one.
    public func read(_ path: String, now: Int64) throws(ClientFailure) {
        if path != "-", unsafe access(path, F_OK) != 0 { return }
        let text = String(decoding: try FileContents.all(of: path), as: UTF8.self)
        for line in text.split(whereSeparator: { $0 == "\n" || $0 == "\r\n" }) {
            guard let cookie = Self.parse(line), !cookie.isExpired(now: now) else { continue }
            if ignoresFile, cookie.expires == nil { continue }
            add(cookie, isTrusted: true, now: now)
        }
    }

    private static func parse(_ line: Substring) -> Cookie? {
        var line = line
        let isHTTPOnly = line.hasPrefix("#HttpOnly_")
        if isHTTPOnly { line = line.dropFirst(10) }
        guard !line.hasPrefix("#"), line.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else { return nil }
        let parts = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 7 || parts.count == 6, !parts[0].isEmpty, let expires = Int64(parts[4]) else { return nil }
        let domain = parts[0].hasPrefix(".") ? String(parts[0].dropFirst()) : parts[0]
        var cookie = Cookie(
            name: parts[5], value: parts.count == 7 ? parts[6] : "", domain: CookieDomain.normal(domain))
        cookie.isHostOnly = parts[1].uppercased() != "TRUE"
        cookie.path = parts[2]
        cookie.isSecure = parts[3].uppercased() == "TRUE"
        cookie.expires = expires == 0 ? nil : expires
        cookie.isHTTPOnly = isHTTPOnly
        return cookie
    }

    /// The file's text.
    public func text(now: Int64) -> String {
        var lines = ["# Netscape HTTP Cookie File", "# Written by client. Edit at your own risk.", ""]
        for cookie in cookies.withLock({ $0 }) where !cookie.isExpired(now: now) {
            let parts = [
                (cookie.isHTTPOnly ? "#HttpOnly_" : "") + (cookie.isHostOnly ? "" : ".") + cookie.domain,
                cookie.isHostOnly ? "FALSE" : "TRUE", cookie.path, cookie.isSecure ? "TRUE" : "FALSE",
                "\(cookie.expires ?? 0)", cookie.name, cookie.value,
            ]
            // A tab of its own would move everything behind it by one place.
            guard parts.allSatisfy({ !$0.contains("\t") }) else { continue }
            lines.append(parts.joined(separator: "\t"))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Writes the file, for its owner only, in place of the one before: whole, or not at all. What is no regular file is
    /// written into, and a link stays one.
    public func write(_ path: String, now: Int64) throws(ClientFailure) {
        let bytes = Array(text(now: now).utf8)
        guard path != "-" else {
            try WholeWrite.all(bytes.span, to: STDOUT_FILENO, named: "standard output")
            return
        }
        guard let file = Self.replaceable(path) else {
            let number = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            guard number >= 0 else { throw .write(path, SystemFailure.reason(errno)) }
            let descriptor = Descriptor(adopting: number)
            try WholeWrite.all(bytes.span, to: descriptor.number, named: path)
            return
        }
        let temporary = "\(file).\(getpid()).tmp"
        let number = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard number >= 0 else { throw .write(path, SystemFailure.reason(errno)) }
        let descriptor = Descriptor(adopting: number)
        do throws(ClientFailure) {
            try WholeWrite.all(bytes.span, to: descriptor.number, named: path)
            guard unsafe rename(temporary, file) == 0 else { throw .write(path, SystemFailure.reason(errno)) }
        } catch {
            unsafe unlink(temporary)
            throw error
        }
    }
}

extension CookieJar {
    /// The name under which a new file can take the place of `path`, behind all links; nil where something is that is no
    /// regular file, such as a device or a pipe, or a link that leads nowhere yet.
    fileprivate static func replaceable(_ path: String) -> String? {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return path }
        guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, let real = unsafe realpath(path, nil)
        else {
            return nil
        }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }
}

/// Writing all of something.
public enum WholeWrite {
    /// Writes all of `bytes`. The corresponding C function is `write`.
    public static func all(_ bytes: Span<UInt8>, to fd: Int32, named path: String) throws(ClientFailure) {
        var offset = 0
        while offset < bytes.count {
            let count = unsafe bytes.extracting(offset...).withUnsafeBufferPointer {
                unsafe Glibc.write(fd, $0.baseAddress, $0.count)
            }
            if count > 0 {
                offset += count
            } else if errno == EAGAIN {
                var watched = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&watched, 1, -1)
            } else if errno != EINTR {
                throw .write(path, SystemFailure.reason(errno))
            }
        }
    }
}
