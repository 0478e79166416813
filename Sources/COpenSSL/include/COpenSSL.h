/* SPDX-License-Identifier: Apache-2.0
 * OpenSSL as Swift can import it: the library's headers, and functions in place of the macros that Swift does not see.
 * No logic lives here. */
#ifndef GATEWAY_COPENSSL_H
#define GATEWAY_COPENSSL_H

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

/* BIO_set_retry_read, BIO_set_retry_write, BIO_clear_retry_flags. */
static inline void gw_bio_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void gw_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }

/* ERR_GET_REASON, ERR_GET_LIB. */
static inline int gw_err_reason(unsigned long code) { return ERR_GET_REASON(code); }
static inline int gw_err_library(unsigned long code) { return ERR_GET_LIB(code); }

/* Settings of an SSL_CTX that are macros around SSL_CTX_ctrl. */
static inline int gw_ctx_min_version(SSL_CTX *ctx, int version) { return (int)SSL_CTX_set_min_proto_version(ctx, version); }
static inline int gw_ctx_max_version(SSL_CTX *ctx, int version) { return (int)SSL_CTX_set_max_proto_version(ctx, version); }
static inline int gw_ctx_groups(SSL_CTX *ctx, const char *list) { return (int)SSL_CTX_set1_groups_list(ctx, list); }
static inline int gw_ctx_sigalgs(SSL_CTX *ctx, const char *list) { return (int)SSL_CTX_set1_sigalgs_list(ctx, list); }
static inline void gw_ctx_mode(SSL_CTX *ctx, long mode) { SSL_CTX_set_mode(ctx, mode); }
static inline void gw_ctx_read_ahead(SSL_CTX *ctx) { SSL_CTX_set_read_ahead(ctx, 1); }
static inline void gw_ctx_max_cert_list(SSL_CTX *ctx, long bytes) { SSL_CTX_set_max_cert_list(ctx, bytes); }
static inline void gw_ctx_cache_mode(SSL_CTX *ctx, long mode) { SSL_CTX_set_session_cache_mode(ctx, mode); }
static inline void gw_ctx_cache_size(SSL_CTX *ctx, long size) { SSL_CTX_sess_set_cache_size(ctx, size); }
static inline void gw_ctx_on_server_name(SSL_CTX *ctx, int (*callback)(SSL *, int *, void *), void *argument) {
    SSL_CTX_set_tlsext_servername_callback(ctx, callback);
    SSL_CTX_set_tlsext_servername_arg(ctx, argument);
}
static inline void gw_ctx_on_status_request(SSL_CTX *ctx, int (*callback)(SSL *, void *), void *argument) {
    SSL_CTX_set_tlsext_status_cb(ctx, callback);
    SSL_CTX_set_tlsext_status_arg(ctx, argument);
}

/* The same of an SSL. */
static inline int gw_ssl_server_name(SSL *ssl, const char *name) { return (int)SSL_set_tlsext_host_name(ssl, name); }
static inline void gw_ssl_request_status(SSL *ssl) { SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp); }
static inline long gw_ssl_status_response(SSL *ssl, unsigned char **bytes) {
    return SSL_get_tlsext_status_ocsp_resp(ssl, bytes);
}
static inline void gw_ssl_staple(SSL *ssl, unsigned char *bytes, long count) {
    SSL_set_tlsext_status_ocsp_resp(ssl, bytes, count);
}

/* An index for what is attached to an SSL or SSL_CTX; `release` is told when that goes away. */
static inline int gw_ssl_index(CRYPTO_EX_free *release) { return SSL_get_ex_new_index(0, NULL, NULL, NULL, release); }
static inline int gw_ctx_index(CRYPTO_EX_free *release) { return SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, release); }

/* Stacks are macros for each type of element. */
static inline STACK_OF(X509) *gw_x509_stack(void) { return sk_X509_new_null(); }
static inline int gw_x509_stack_push(STACK_OF(X509) *stack, X509 *x) { return sk_X509_push(stack, x); }
static inline void gw_x509_stack_free(STACK_OF(X509) *stack) { sk_X509_free(stack); }
static inline STACK_OF(X509_NAME) *gw_name_stack(void) { return sk_X509_NAME_new_null(); }
static inline int gw_name_stack_push(STACK_OF(X509_NAME) *stack, X509_NAME *name) { return sk_X509_NAME_push(stack, name); }
static inline void gw_name_stack_free(STACK_OF(X509_NAME) *stack) { sk_X509_NAME_pop_free(stack, X509_NAME_free); }

/* subjectAltName of a certificate, or NULL; then its elements. */
static inline GENERAL_NAMES *gw_alternative_names(const X509 *x) {
    return (GENERAL_NAMES *)X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
}
static inline int gw_names_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }
/* The bytes of the dNSName (kind GEN_DNS) or iPAddress (GEN_IPADD) at `index`; the kind is returned. */
static inline int gw_name_at(const GENERAL_NAMES *names, int index, const unsigned char **bytes, int *count) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
    *bytes = NULL;
    *count = 0;
    if (name->type == GEN_DNS || name->type == GEN_IPADD) {
        const ASN1_STRING *text = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
        *bytes = ASN1_STRING_get0_data(text);
        *count = ASN1_STRING_length(text);
    }
    return name->type;
}
static inline void gw_names_free(GENERAL_NAMES *names) { GENERAL_NAMES_free(names); }
static inline int gw_has_ca_issuers(const X509 *x) {
    AUTHORITY_INFO_ACCESS *access = (AUTHORITY_INFO_ACCESS *)X509_get_ext_d2i(x, NID_info_access, NULL, NULL);
    int found = 0;
    for (int i = 0; access != NULL && i < sk_ACCESS_DESCRIPTION_num(access); i++)
        if (OBJ_obj2nid(sk_ACCESS_DESCRIPTION_value(access, i)->method) == NID_ad_ca_issuers) found = 1;
    AUTHORITY_INFO_ACCESS_free(access);
    return found;
}
/* HMAC with SHA-256 under `key`, from now on. */
static inline int gw_mac_key(EVP_MAC_CTX *mac, unsigned char *key, size_t count) {
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, count),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, parameters);
}
/* The first OCSP responder that a certificate names, to be freed; NULL when there is none. */
static inline char *gw_ocsp_responder(X509 *x) {
    STACK_OF(OPENSSL_STRING) *all = X509_get1_ocsp(x);
    char *first = all != NULL && sk_OPENSSL_STRING_num(all) > 0 ? OPENSSL_strdup(sk_OPENSSL_STRING_value(all, 0)) : NULL;
    X509_email_free(all);
    return first;
}

/* New keys, and an extension from its text form. */
static inline EVP_PKEY *gw_new_p256(void) { return EVP_EC_gen("P-256"); }
static inline EVP_PKEY *gw_new_rsa(unsigned int bits) { return EVP_RSA_gen(bits); }
static inline int gw_add_extension(X509 *x, X509 *issuer, int nid, const char *text) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, text);
    int added = extension != NULL && X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
    return added;
}
static inline void gw_openssl_free(void *memory) { OPENSSL_free(memory); }
static inline void *gw_openssl_malloc(size_t count) { return OPENSSL_malloc(count); }
static inline long gw_bio_memory(BIO *bio, char **bytes) { return BIO_get_mem_data(bio, bytes); }

static const uint64_t gw_op_no_renegotiation = SSL_OP_NO_RENEGOTIATION, gw_op_no_compression = SSL_OP_NO_COMPRESSION,
    gw_op_server_preference = SSL_OP_CIPHER_SERVER_PREFERENCE, gw_op_prioritize_chacha = SSL_OP_PRIORITIZE_CHACHA, gw_op_no_ticket = SSL_OP_NO_TICKET;
static const unsigned long gw_name_flags = XN_FLAG_RFC2253;
enum { gw_bio_ctrl_flush = BIO_CTRL_FLUSH, gw_bio_ctrl_eof = BIO_CTRL_EOF };

#endif
