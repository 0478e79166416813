/* SPDX-License-Identifier: Apache-2.0
 * OpenSSL as Swift can import it: the library's headers, and functions in place of the macros that Swift does not see.
 * No logic lives here. */
#ifndef GATEWAY_COPENSSL_H
#define GATEWAY_COPENSSL_H

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

/* BIO_set_retry_read, BIO_set_retry_write, BIO_clear_retry_flags. */
static inline void gw_bio_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void gw_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }

/* ERR_GET_REASON, ERR_GET_LIB. */
static inline int gw_err_reason(unsigned long code) { return ERR_GET_REASON(code); }
static inline int gw_err_library(unsigned long code) { return ERR_GET_LIB(code); }

enum { gw_bio_ctrl_flush = BIO_CTRL_FLUSH, gw_bio_ctrl_eof = BIO_CTRL_EOF };

#endif
