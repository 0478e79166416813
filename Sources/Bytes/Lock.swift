// SPDX-License-Identifier: Apache-2.0
// The lock of this project is the standard library's `Mutex`. ThreadSanitizer does not see it: it is made of futex calls in a library
// that is not instrumented, so whatever it guards is reported as a race. Builds for ThreadSanitizer (`GATEWAY_SANITIZER=thread`) have
// the same lock made of `pthread_mutex_t`, which the sanitizer knows.

#if GATEWAY_THREAD_SANITIZER
import Glibc

/// A value behind a lock.
///
/// `@unchecked Sendable` is safe because both pointers are set once, and `value` is touched with `mutex` held only.
@safe public struct Lock<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let value: UnsafeMutablePointer<Value>

    /// A lock that is not held.
    public init(_ initialValue: consuming sending Value) {
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe pthread_mutex_init(mutex, nil)
        unsafe value = .allocate(capacity: 1)
        unsafe value.initialize(to: initialValue)
    }

    deinit {
        unsafe value.deinitialize(count: 1)
        unsafe value.deallocate()
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    /// Calls `body` with the lock held. The corresponding C functions are `pthread_mutex_lock` and `pthread_mutex_unlock`.
    public borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try unsafe body(&value.pointee)
    }
}
#else
public import Synchronization

/// A value behind a lock.
public typealias Lock<Value: ~Copyable> = Mutex<Value>
#endif
