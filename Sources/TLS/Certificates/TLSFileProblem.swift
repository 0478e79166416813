// SPDX-License-Identifier: Apache-2.0

/// Why a certificate, a key or a list of authorities cannot be used: one sentence that names the file and what is wrong.
public struct TLSFileProblem: Error, Equatable, Sendable, CustomStringConvertible {
    /// The sentence, without a full stop.
    public let sentence: String

    /// A problem told in `sentence`.
    public init(_ sentence: String) { self.sentence = sentence }

    /// The sentence.
    public var description: String { sentence }
}
