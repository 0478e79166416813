// SPDX-License-Identifier: Apache-2.0
// A file of PEM blocks (RFC 7468), read once and whole, so that what is checked is what is used.

import COpenSSL
import Engine
import Glibc

/// The blocks of one file.
struct PEMFile {
    /// One block: its label, such as `CERTIFICATE`, and what it encodes.
    struct Entry {
        let label: String
        /// Whether the block is encrypted in the way of RFC 1421 (`Proc-Type: 4,ENCRYPTED`).
        let isEncrypted: Bool
        let der: [UInt8]
    }

    let path: String
    let entries: [Entry]
    /// Owner and permissions, of the descriptor that was read.
    let owner: uid_t
    let mode: mode_t

    /// Bytes of a file with certificates and revocation lists. The roots of a whole system are a quarter of a megabyte.
    static let sizeLimit = 16 << 20

    /// Reads `path`.
    init(path: String) throws(TLSFileProblem) {
        self.path = path
        let (bytes, info) = try Self.read(path)
        owner = info.st_uid
        mode = info.st_mode
        entries = try Self.parse(bytes, path: path)
    }

    /// The whole of a regular file, and what `fstat` says of it.
    static func read(_ path: String) throws(TLSFileProblem) -> (bytes: [UInt8], info: stat) {
        // O_NONBLOCK, so that a named pipe does not hold up the start; it is refused below.
        let fd = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard fd >= 0 else {
            let code = errno
            throw TLSFileProblem(
                code == ENOENT
                    ? "\(path) does not exist" : "\(path) cannot be read: \(SystemFailure.reason(code))")
        }
        let descriptor = Descriptor(adopting: fd)
        var info = stat()
        guard unsafe fstat(descriptor.number, &info) == 0 else {
            throw TLSFileProblem("\(path) cannot be read: \(SystemFailure.reason(errno))")
        }
        guard info.st_mode & S_IFMT == S_IFREG else { throw TLSFileProblem("\(path) is not a file") }
        guard info.st_size <= sizeLimit else {
            throw TLSFileProblem("\(path) is larger than \(sizeLimit >> 20) MiB, which no certificate file is")
        }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= sizeLimit {
            let count = unsafe Glibc.read(descriptor.number, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw TLSFileProblem("\(path) cannot be read: \(SystemFailure.reason(errno))")
            }
            if count == 0 { break }
            bytes += piece[..<count]
        }
        return (bytes, info)
    }

    private static func parse(_ bytes: [UInt8], path: String) throws(TLSFileProblem) -> [Entry] {
        let (entries, isDamaged) = unsafe bytes.withUnsafeBytes { raw -> ([Entry], Bool) in
            var entries: [Entry] = []
            guard let bio = unsafe BIO_new_mem_buf(raw.baseAddress, Int32(raw.count)) else {
                return ([], raw.count > 0)
            }
            defer { unsafe BIO_free(bio) }
            while true {
                var label: UnsafeMutablePointer<CChar>?
                var header: UnsafeMutablePointer<CChar>?
                var data: UnsafeMutablePointer<UInt8>?
                var count = 0
                guard unsafe PEM_read_bio(bio, &label, &header, &data, &count) == 1 else {
                    // "No start line" is how OpenSSL says that there is no further block.
                    let reason = gw_err_reason(ERR_peek_last_error())
                    ERR_clear_error()
                    return (entries, reason != PEM_R_NO_START_LINE)
                }
                let head = unsafe header.map { unsafe String(cString: $0) } ?? ""
                unsafe entries.append(
                    Entry(
                        label: label.map { unsafe String(cString: $0) } ?? "",
                        isEncrypted: head.utf8.count > 0 && head.contains("ENCRYPTED"),
                        der: unsafe Array(UnsafeBufferPointer(start: data, count: count))))
                unsafe OPENSSL_cleanse(data, count)
                unsafe gw_openssl_free(label)
                unsafe gw_openssl_free(header)
                unsafe gw_openssl_free(data)
            }
        }
        guard !isDamaged else { throw TLSFileProblem("\(path) is damaged: a PEM block in it cannot be decoded") }
        return entries
    }

    /// The certificates in it, in order.
    func certificates() throws(TLSFileProblem) -> [Certificate] {
        var found: [Certificate] = []
        for entry in entries where ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"].contains(entry.label) {
            guard let certificate = Certificate(der: entry.der) else {
                throw TLSFileProblem("\(path) is damaged: certificate \(found.count + 1) in it cannot be decoded")
            }
            found.append(certificate)
        }
        return found
    }
}
