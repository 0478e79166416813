// SPDX-License-Identifier: Apache-2.0
// Does ThreadSanitizer see the lock of `Mutex`? swiftc -swift-version 6 -sanitize=thread tsan_mutex.swift; ./tsan_mutex; ./tsan_mutex c

import Dispatch
import Glibc
import Synchronization

/// A counter behind a lock: the standard library's, or that of C.
/// `@unchecked Sendable` is safe because `value` is touched with `lock` held only.
final class Counter: @unchecked Sendable {
    let locked = Mutex(0)
    let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    var value = 0
    init() { pthread_mutex_init(lock, nil) }
}

let counter = Counter()
let usesC = CommandLine.arguments.contains("c")
DispatchQueue.concurrentPerform(iterations: 8) { _ in
    for _ in 0..<10_000 {
        if usesC {
            pthread_mutex_lock(counter.lock)
            counter.value += 1
            pthread_mutex_unlock(counter.lock)
        } else {
            counter.locked.withLock { $0 += 1 }
        }
    }
}
print(usesC ? counter.value : counter.locked.withLock { $0 })
