// OpenSSL 3: the macros that Swift does not import, as functions of the same name with the prefix c_.
#ifndef MUXSH_COPENSSL_SHIM_H
#define MUXSH_COPENSSL_SHIM_H

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static inline void c_SSL_CTX_set_min_proto_version(SSL_CTX *context, int version) {
    SSL_CTX_set_min_proto_version(context, version);
}

static inline void c_SSL_CTX_set_mode(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
}

static inline void c_SSL_CTX_set_options(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
}

static inline void c_SSL_CTX_set_read_ahead(SSL_CTX *context) { SSL_CTX_set_read_ahead(context, 1); }

// Passes tickets to SSL_CTX_sess_set_new_cb without storing them.
static inline void c_SSL_CTX_tell_tickets(SSL_CTX *context) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
}

static inline int c_SSL_set_tlsext_host_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}

static inline int c_SSL_set_app_data(SSL *ssl, void *data) { return SSL_set_app_data(ssl, data); }
static inline void *c_SSL_get_app_data(const SSL *ssl) { return SSL_get_app_data(ssl); }

// The connection being verified: X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()).
static inline SSL *c_X509_STORE_CTX_get_ssl(X509_STORE_CTX *store) {
    return (SSL *)X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
}

static inline int c_ERR_GET_REASON(unsigned long error) { return ERR_GET_REASON(error); }
static inline int c_ERR_GET_LIB(unsigned long error) { return ERR_GET_LIB(error); }

static inline long c_BIO_get_mem_data(BIO *bio, char **data) { return BIO_get_mem_data(bio, data); }

// Prints a name in the format of RFC 2253, in UTF-8.
static inline int c_X509_NAME_print_ex(BIO *bio, const X509_NAME *name) {
    return X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
}

// The names in a certificate: a stack of GENERAL_NAME, from X509_get_ext_d2i(NID_subject_alt_name).
static inline int c_sk_GENERAL_NAME_num(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }
static inline const GENERAL_NAME *c_sk_GENERAL_NAME_value(const GENERAL_NAMES *names, int index) {
    return sk_GENERAL_NAME_value(names, index);
}

// The certificate chain from ours to its authority, and a stack of certificates.
static inline int c_SSL_CTX_add1_chain_cert(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(context, certificate);
}
static inline int c_sk_X509_num(const STACK_OF(X509) *stack) { return sk_X509_num(stack); }
static inline X509 *c_sk_X509_value(const STACK_OF(X509) *stack, int index) { return sk_X509_value(stack, index); }
static inline void c_sk_X509_pop_free(STACK_OF(X509) *stack) { sk_X509_pop_free(stack, X509_free); }

static inline int c_ERR_R_UNSUPPORTED(void) { return ERR_GET_REASON(ERR_R_UNSUPPORTED); }

#endif
