// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A system call that failed, and how: the call's name and `errno`.
public struct SystemFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// The C function that failed, such as `bind`.
    public let call: StaticString
    /// Its `errno`.
    public let code: Int32

    /// A failure of `call`; `code` is the current `errno` unless told.
    public init(_ call: StaticString, code: Int32? = nil) {
        self.call = call
        self.code = code ?? errno
    }

    /// The system's words for the error, such as "Address already in use".
    public var reason: String { Self.reason(code) }
    /// The call and the system's words.
    public var description: String { "\(call): \(reason)" }

    /// The system's words for an `errno`.
    public static func reason(_ code: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        // `strerror_r`, because `strerror` is not safe from several threads.
        guard unsafe strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The same call failed in the same way.
    public static func == (left: SystemFailure, right: SystemFailure) -> Bool {
        left.code == right.code && left.call.description == right.call.description
    }
}
