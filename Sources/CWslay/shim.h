// libwslay's event interface, loaded when it is first used: Debian has no archive of it.
#ifndef MUXSH_CWSLAY_SHIM_H
#define MUXSH_CWSLAY_SHIM_H

#include <dlfcn.h>
#include <stddef.h>
#include <wslay/wslay.h>

// The functions that are used, under their names without wslay_event_.
typedef struct {
    __typeof__(&wslay_event_context_server_init) server_init;
    __typeof__(&wslay_event_context_client_init) client_init;
    __typeof__(&wslay_event_context_free) free;
    __typeof__(&wslay_event_config_set_max_recv_msg_length) set_longest;
    __typeof__(&wslay_event_recv) recv;
    __typeof__(&wslay_event_send) send;
    __typeof__(&wslay_event_queue_msg) queue_msg;
    __typeof__(&wslay_event_queue_close) queue_close;
    __typeof__(&wslay_event_set_error) set_error;
    __typeof__(&wslay_event_get_close_received) close_received;
    __typeof__(&wslay_event_get_read_enabled) read_enabled;
    __typeof__(&wslay_event_get_status_code_sent) code_sent;
} c_wslay;

// Fills the table; returns 0 if the library or one of its functions is missing (dlopen(3)).
static inline int c_wslay_load(c_wslay *table) {
    void *library = dlopen("libwslay.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) return 0;
    struct { void **place; const char *name; } functions[] = {
        {(void **)&table->server_init, "wslay_event_context_server_init"},
        {(void **)&table->client_init, "wslay_event_context_client_init"},
        {(void **)&table->free, "wslay_event_context_free"},
        {(void **)&table->set_longest, "wslay_event_config_set_max_recv_msg_length"},
        {(void **)&table->recv, "wslay_event_recv"},
        {(void **)&table->send, "wslay_event_send"},
        {(void **)&table->queue_msg, "wslay_event_queue_msg"},
        {(void **)&table->queue_close, "wslay_event_queue_close"},
        {(void **)&table->set_error, "wslay_event_set_error"},
        {(void **)&table->close_received, "wslay_event_get_close_received"},
        {(void **)&table->read_enabled, "wslay_event_get_read_enabled"},
        {(void **)&table->code_sent, "wslay_event_get_status_code_sent"},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        *functions[i].place = dlsym(library, functions[i].name);
        if (!*functions[i].place) return 0;
    }
    return 1;
}

#endif
