// SPDX-License-Identifier: Apache-2.0
// multipart/form-data (RFC 7578): what a browser sends for a form with files.

import Glibc

/// The parts of a form, in order.
public struct MultipartForm: Sendable {
    /// One part.
    public struct Part: Sendable {
        /// Its name.
        public var name: String
        /// Where its content is from.
        public var content: Content
        /// Its media type, or nil for the default.
        public var type: String?
        /// The file name that is told, or nil for none.
        public var fileName: String?
    }

    /// Where a part's content is from.
    public enum Content: Sendable {
        case text(String)
        /// A file, sent as one (`@`) or as the text of a field (`<`).
        case file(String)
    }

    private var parts: [Part] = []
    /// What stands between the parts; random, so that no content has it in it.
    public let boundary: String

    /// A form without parts.
    public init() {
        var random = SystemRandomNumberGenerator()
        let digits = String(random.next(), radix: 16) + String(random.next(), radix: 16)
        boundary = "----------------" + digits
    }

    /// Adds a part given as curl does: `name=text`, `name=@file`, `name=<file`, with `;type=…` and `;filename=…` behind.
    public mutating func add(_ text: String, literally: Bool = false) throws(ClientFailure) {
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
            throw .usage("-F \"\(text)\": expected NAME=TEXT or NAME=@FILE")
        }
        let name = String(text[..<equals])
        let value = text[text.index(after: equals)...]
        guard !literally else {
            parts.append(Part(name: name, content: .text(String(value))))
            return
        }
        var pieces = value.split(separator: ";", omittingEmptySubsequences: false)
        let first = pieces.removeFirst()
        var part = Part(name: name, content: .text(String(first)))
        if first.hasPrefix("@") || first.hasPrefix("<") {
            let path = String(first.dropFirst())
            part.content = .file(path)
            if first.hasPrefix("@") {
                part.fileName = path.split(separator: "/").last.map(String.init) ?? path
                part.type = "application/octet-stream"
            }
        }
        for piece in pieces {
            if piece.hasPrefix("type=") {
                part.type = String(piece.dropFirst(5))
            } else if piece.hasPrefix("filename=") {
                part.fileName = String(piece.dropFirst(9))
            } else if case .text(let soFar) = part.content {
                part.content = .text(soFar + ";" + piece)
            }
        }
        if let type = part.type, type.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
            throw .usage("-F: the type of \"\(name)\" has a control character in it")
        }
        parts.append(part)
    }

    /// What is sent.
    func pieces() throws(ClientFailure) -> [BodyReader.Piece] {
        var result: [BodyReader.Piece] = []
        for part in parts {
            var head = "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(Self.quoted(part.name))\""
            if let name = part.fileName { head += "; filename=\"\(Self.quoted(name))\"" }
            if let type = part.type { head += "\r\nContent-Type: \(type)" }
            result.append(.bytes(Array((head + "\r\n\r\n").utf8)))
            switch part.content {
            case .text(let text): result.append(.bytes(Array(text.utf8)))
            case .file("-"): result.append(.bytes(try FileContents.all(of: "-")))
            case .file(let path): result.append(try BodyReader.file(path))
            }
            result.append(.bytes(Array("\r\n".utf8)))
        }
        result.append(.bytes(Array("--\(boundary)--\r\n".utf8)))
        return result
    }

    /// As browsers do (the HTML standard's multipart encoding): what would end the string or the line is percent-encoded.
    private static func quoted(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "%22"
            case "\r": result += "%0D"
            case "\n": result += "%0A"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
