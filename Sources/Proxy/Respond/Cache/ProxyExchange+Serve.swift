// SPDX-License-Identifier: Apache-2.0
// Responses out of the cache: the stored head with what is new in it, and the body from memory, from a file, or from a
// download that is still going on.

import Bytes
import CachePolicy
import CacheStore
import Engine
import HTTP
import Serving
import Upstream

extension ProxyExchange {
    /// Bytes of a stored body that are handed over at a time.
    private static let pieceBytes = 64 << 10

    /// Answers with a stored response; with the head `renewed` where its fields have just been brought up to date.
    ///
    /// `tellsAge`: "The presence of an Age header field implies that the response was not generated or validated by the origin
    /// server for this request" (RFC 9111 section 5.1), so where it was, only an age that came with it is told.
    func serve(
        _ stored: StoredResponse, renewed: CachedBody? = nil, _ record: StoredRecord, age: UInt32, tellsAge: Bool
    ) -> Bool {
        if use.isRefresh {
            // Nobody reads it.
            stream?.finish(trailers: nil)
            return true
        }
        let length = record.coding.contentLength(of: stored.length)
        let size = UInt64(length)
        let served: Served?
        if let renewed {
            served = writeHead(renewed.bytes, record, age: tellsAge ? age : nil, size: size)
        } else {
            let head = stored.head
            served = writeHead(head.metadata, record, age: tellsAge ? age : nil, size: size)
        }
        guard let served else { return false }
        var range = 0..<length
        let inflates = prepareInflating(stored, record.coding, served)
        switch served {
        case _ where head.method == .head: range = 0..<0
        case .whole where inflates, .partial where inflates: break
        case .whole: range = 0..<(use.inflated?.count ?? length)
        case .partial(let bytes): range = Int(bytes.lowerBound)..<Int(bytes.upperBound)
        case .notModified, .unsatisfiable: range = 0..<0
        }
        use.serving = stored
        use.position = use.inflation?.entry ?? range.lowerBound
        use.end = range.upperBound
        pumpStored()
        return true
    }

    /// What is stored is no head, though no checksum has noticed: it is as if there was nothing.
    func dropUnreadable() -> StepOutcome {
        service.cache?.store.forget(use.id)
        use.candidate = nil
        return goAlone()
    }

    /// Begins to answer with what a fill brings. False, and nothing written, when what it brings is no head.
    func serve(_ description: ObjectDescription, _ record: StoredRecord, tellsAge: Bool) -> Bool {
        let age = tellsAge ? record.policy.age(at: wallMilliseconds) : nil
        let size = description.bodyLength.map { UInt64($0) }
        let metadata = description.metadata
        guard let served = writeHead(metadata.bytes, record, age: age, size: size, isStored: false) else {
            return false
        }
        if head.method == .head || served == .notModified {
            leaveDownload()
            stream?.finish(trailers: nil)
        } else if use.form == .identity {
            beginInflating(nil, length: record.coding.identityLength)
        }
        return true
    }

    /// Begins to answer the one whose request made the download: with the head that came, since some fields are for him alone
    /// and are not stored.
    func serveFirst(_ description: ObjectDescription, _ record: StoredRecord, _ connection: UpstreamConnection) {
        guard let stream, let request = use.request else { return }
        if use.isRefresh {
            leaveDownload()
            stream.finish(trailers: nil)
            return
        }
        if !request.present.isDisjoint(with: [.ifNoneMatch, .ifModifiedSince]) {
            let metadata = description.metadata
            guard service.parseStoredHead(metadata.bytes) else {
                stream.abort()
                return
            }
            var asked = request
            asked.present.remove(.range)
            let served = ClientConditions.evaluate(
                asked, head, headBytes, record.policy, service.storedHead, metadata.bytes, size: 0,
                now: wallMilliseconds)
            if served == .notModified {
                // Not false: it has just been parsed.
                _ = serve(description, record, tellsAge: connection.head.fields.first(.age) != nil)
                return
            }
        }
        use.form = storedForm(record.coding, .whole)
        writeHead(of: connection, to: stream, use.form)
        if use.form == .identity { beginInflating(nil, length: record.coding.identityLength) }
    }

    /// The body of the download is not needed; the download goes on without this exchange.
    private func leaveDownload() {
        if let reader = use.reader {
            use.reading?.detach(reader)
            reader.detach()
        }
        use.reading = nil
        use.reader = nil
    }

    /// Writes the whole head, and says what of the body follows. Nil, and nothing written, when what is stored is no head.
    private func writeHead(
        _ metadata: Span<UInt8>, _ record: StoredRecord, age: UInt32?, size: UInt64?, isStored: Bool = true
    ) -> Served? {
        guard let stream, let request = use.request, metadata.count >= record.linesStart + 2 else { return nil }
        var served = Served.whole
        let coding = record.coding
        // Parts are parts of the identity form.
        let identitySize = coding.isGzip ? coding.identityLength : size
        let isConditional = !request.present.isDisjoint(with: .conditions)
        let isFiltered = record.hasReplaced || sendsHSTS || route?.responseEdits.removed.isEmpty == false
        if isConditional || isFiltered {
            guard service.parseStoredHead(metadata) else { return nil }
        }
        if isConditional {
            // Parts are taken from what is stored whole.
            var asked = request
            if !isStored || identitySize == nil || !coding.hasParts || mayRepairGzip(coding) {
                asked.present.remove(.range)
            }
            served = ClientConditions.evaluate(
                asked, head, headBytes, record.policy, service.storedHead, metadata, size: identitySize ?? 0,
                now: wallMilliseconds)
        }
        let form = storedForm(coding, served)
        use.form = form
        stream.begin(status: served.status(of: record.policy), reason: Span())
        if served == .whole, !isFiltered {
            sendStoredLines(metadata, from: record.linesStart, coding, form, to: stream)
        } else {
            copyStoredFields(metadata, served, request, form)
        }
        if served != .unsatisfiable { writeStoredCoding(coding, form, served, to: stream) }
        let own = service.fieldScratch
        own.clear()
        if served != .unsatisfiable, let age { own.appendField("Age", decimal: UInt64(age)) }
        switch served {
        case .whole, .notModified: break
        case .partial(let range):
            own.append("Content-Range: ")
            ContentRange(range: range, total: identitySize).append(to: own)
            own.appendLineEnd()
        case .unsatisfiable:
            own.append("Content-Range: ")
            ContentRange(range: nil, total: identitySize).append(to: own)
            own.appendLineEnd()
        }
        stream.fieldLines(own.readable)
        addOwnFields(to: stream, via: .http11)
        switch served {
        case .notModified: stream.endHead(.none)
        case .unsatisfiable: stream.endHead(.length(0))
        case .partial(let range): stream.endHead(.length(range.upperBound - range.lowerBound))
        case .whole where record.policy.status == 204: stream.endHead(.none)
        case .whole: stream.endHead((form == .gzip ? size : identitySize).map { .length($0) } ?? .unknown)
        }
        return served
    }

    private func copyStoredFields(
        _ metadata: Span<UInt8>, _ served: Served, _ request: CacheRequest, _ form: ContentForm
    ) {
        guard let stream else { return }
        let edits = route?.responseEdits
        let hasTag = service.storedHead.fields.first(.etag) != nil
        for index in 0..<service.storedHead.fields.count {
            let field = service.storedHead.fields[index]
            let name = metadata.extracting(field.nameRange)
            // Kept as they are, others' members of Cache-Status too: ours follows in a line of its own.
            guard
                field.name == .cacheStatus
                    || ServedFields.send(
                        field.name, served, hasTag: hasTag, isIfRange: request.present.contains(.ifRange))
            else { continue }
            if isReplaced(field, name, edits) { continue }
            let value = metadata.extracting(field.valueRange)
            if field.name == .etag, form == .gzip, !StoredCoding.isWeak(value) {
                writeWeakened(value, to: stream)
            } else {
                stream.field(name, value)
            }
        }
    }

    // MARK: Bodies

    /// Hands over what the client takes of the stored body.
    func pumpStored() {
        guard !use.isReading, !waitsForTurn else { return }
        var turns = 0
        while let stored = use.serving, let stream, !stream.isBlocked {
            turns += 1
            if turns > Self.piecesInARow {
                yieldTurn()
                return
            }
            guard use.position < use.end || use.inflation?.entry != nil, !hasSentWanted else {
                guard endSendingStored(to: stream) else { return }
                use.serving = nil
                stream.finish(trailers: nil)
                return
            }
            switch stored {
            case .object(let object) where use.inflation?.entry != nil:
                let body = object.body
                beginAtPlace(RestartIndex.place(in: body.bytes, at: use.position))
            case .object(let object):
                let piece = use.position..<min(use.end, use.position + Self.pieceBytes)
                let body = use.inflated ?? object.body
                use.position += sendStored(body.bytes.extracting(piece), to: stream)
                if waitsForTurn { return }
            case .file(let file):
                if use.inflation == nil, let socket = stream.socketForBody() {
                    guard sendFile(file, to: socket, of: stream) else { return }
                } else if use.serving != nil, !stream.isBlocked {
                    guard sendChunk(of: file, to: stream) else { return }
                }
            }
        }
    }

    /// Lets others have their turn before more of the body is sent.
    func yieldTurn() { service.loop.schedule(sendingTurn) }

    /// Lets others have their turn, and those whose bodies were there before to be coded, before more of this one is.
    func awaitCodingTurn() { service.coding.wait(sendingTurn) }

    private var sendingTurn: SendingTurn {
        let turn = use.turn ?? SendingTurn(self)
        use.turn = turn
        return turn
    }

    /// Goes on where `yieldTurn` or `awaitCodingTurn` stopped.
    func continueBody() {
        codingTurnCame()
        if use.serving != nil {
            pumpStored()
            stream?.flush()
        } else {
            resume(pumpFill())
        }
    }

    /// Sends from the page cache straight to the socket. False when it has to be waited for, or the exchange is over.
    private func sendFile(_ file: StoredFile, to socket: Int32, of stream: ServerStream) -> Bool {
        let scratch = service.loop.largeBlocks.take()
        defer { service.loop.giveBack(scratch) }
        switch file.send(from: use.position, limit: use.end - use.position, to: socket, scratch: scratch) {
        case .sent(.bytes(let count)):
            use.position += count
            stream.sentPast(count, isFull: false)
            return true
        case .sent(.wouldBlock):
            stream.sentPast(0, isFull: true)
            return false
        case .sent(.closed), .sent(.failed):
            use.serving = nil
            stream.abort()
            return false
        case .wouldBlock(let chunk):
            waitForChunk(chunk, of: file, into: service.loop.largeBlocks.take())
            return false
        case .damaged:
            damaged()
            return false
        }
    }

    private func waitForChunk(_ number: Int, of file: StoredFile, into block: Block) {
        let reader = use.reader ?? ExchangeReader(self)
        use.reader = reader
        use.isReading = true
        use.wait = WaitTimer(self, in: LookUpStep.diskTimeout)
        if !file.readSoon(number, into: block, for: reader) { diskIsBusy(block) }
    }

    /// So many wait for the disk that this response can only be cut.
    func diskIsBusy(_ block: Block) {
        service.loop.giveBack(block)
        use.isReading = false
        use.wait?.cancel()
        use.wait = nil
        use.serving = nil
        reason = "cache-busy"
        stream?.abort()
    }

    /// Sends the chunk at `position`, or what is wanted of it. False when it has to be waited for, or the exchange is over.
    private func sendChunk(of file: StoredFile, to stream: ServerStream) -> Bool {
        let number = use.position / StoredFile.chunkBytes
        let block = service.loop.largeBlocks.take()
        switch file.readNow(number, into: block) {
        case .ready:
            takeChunk(block, number, stream)
            service.loop.giveBack(block)
            return !waitsForTurn
        case .wouldBlock:
            waitForChunk(number, of: file, into: block)
            return false
        case .damaged:
            service.loop.giveBack(block)
            damaged()
            return false
        }
    }

    private func takeChunk(_ block: Block, _ number: Int, _ stream: ServerStream) {
        let start = number * StoredFile.chunkBytes
        if use.inflation?.entry != nil {
            beginAtPlace(RestartIndex.place(in: block.readable, at: use.position - start))
            return
        }
        let wanted = use.position - start..<min(use.end - start, block.count)
        use.position = start + wanted.lowerBound + sendStored(block.readable.extracting(wanted), to: stream)
    }

    /// A disk thread has read a chunk, of a stored file or of a download.
    func chunkRead(_ outcome: ChunkOutcome, _ block: Block) {
        guard use.isReading, let stream else { return }
        use.isReading = false
        use.wait?.cancel()
        use.wait = nil
        guard outcome == .ready else {
            damaged()
            return
        }
        if use.serving != nil {
            takeChunk(block, use.position / StoredFile.chunkBytes, stream)
            pumpStored()
            self.stream?.flush()
        } else if let fill = use.reading, let reader = use.reader {
            let wanted = use.position..<use.end
            fill.took(sendStored(block.readable.extracting(wanted), to: stream), reader)
            resume(pumpFill())
        }
    }

    /// The stored body is not what was written: it is cut, so that nobody takes what came for the whole.
    func damaged() {
        reason = "cache-damaged"
        use.serving = nil
        stream?.abort()
    }
}
