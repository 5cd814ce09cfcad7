// SPDX-License-Identifier: BSD-2-Clause
// The thread that talks to NATS, by libnats (which has threads of its own besides).
//
// The library's reconnecting is not used: it keeps what was not sent and sends it later, when somebody else has decided
// already what is to be sent again. A connection that fails once is given up, and another one is dialled on request.
// Acknowledgements are counted here, one by one: a batch is taken when each of its messages was acknowledged.
#include "control/natslink.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <nats/nats.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "control/loop.h"
#include "control/text.h"

enum {
	CONNECT_MS = 2000, // of one server
	WRITE_MS = 2000,
	ACK_MS = 5000, // none for so long: the batch has failed
	SLICE_MS = 50, // how soon the end of the program is noticed
	END_MS = 1000, // how long a batch may still take then
	JOIN_S = 5,    // a name that is looked up cannot be interrupted
};

enum job {
	JOB_NONE,
	JOB_DIAL,
	JOB_SEND,
};

struct natslink {
	const struct settings_nats *settings;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	int event_fd;
	// Under the lock.
	enum job job;
	bool stop;
	struct natslink_result result;
	// The thread's while a job is under way.
	const struct natslink_message *messages;
	size_t n;
	const char *text;
	// The thread's.
	natsConnection *nc;
	natsSubscription *acks;
	natsInbox *inbox;
};

static void hang_up(struct natslink *l)
{
	natsSubscription_Destroy(l->acks);
	natsConnection_Destroy(l->nc);
	natsInbox_Destroy(l->inbox);
	l->acks = NULL;
	l->nc = NULL;
	l->inbox = NULL;
}

__attribute__((format(printf, 2, 3))) static void failed(struct natslink_result *r, const char *fmt,
							 ...)
{
	char text[sizeof(r->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_clean(r->text, sizeof(r->text), text, strlen(text)); // some of it is the server's
	r->what = NATSLINK_FAILED;
}

static void stream_missing(const struct settings_nats *c, const char *what,
			   struct natslink_result *r)
{
	failed(r, "%s: nats stream add %s --subjects %s", what, c->stream, c->subject);
}

static bool is_stopping(struct natslink *l)
{
	pthread_mutex_lock(&l->lock);
	bool stop = l->stop;
	pthread_mutex_unlock(&l->lock);
	return stop;
}

static natsStatus set_options(const struct settings_nats *c, natsOptions *o,
			      struct natslink_result *r)
{
	const char *servers[SETTINGS_NATS_SERVERS_MAX];

	if (c->credentials[0] != '\0' && access(c->credentials, R_OK) != 0) {
		failed(r, "nats.credentials: %s: %s", c->credentials, strerror(errno));
		return NATS_INVALID_ARG;
	}
	for (uint32_t i = 0; i < c->n_servers; i++)
		servers[i] = c->servers[i];
	natsStatus s = natsOptions_SetServers(o, servers, (int)c->n_servers);
	if (s == NATS_OK)
		s = natsOptions_SetName(o, "wireglassd");
	if (s == NATS_OK)
		s = natsOptions_SetAllowReconnect(o, false);
	if (s == NATS_OK)
		s = natsOptions_SetTimeout(o, CONNECT_MS);
	if (s == NATS_OK)
		s = natsOptions_SetWriteDeadline(o, WRITE_MS);
	if (s == NATS_OK && c->credentials[0] != '\0')
		s = natsOptions_SetUserCredentialsFromFiles(o, c->credentials, NULL);
	if (s != NATS_OK)
		failed(r, "%s", natsStatus_GetText(s));
	if (s != NATS_OK || c->ca[0] == '\0')
		return s;
	s = natsOptions_LoadCATrustedCertificates(o, c->ca);
	if (s == NATS_OK)
		s = natsOptions_SetSecure(o, true);
	if (s != NATS_OK)
		failed(r, "nats.ca: no certificates can be read from %s", c->ca);
	return s;
}

static natsStatus join(struct natslink *l, struct natslink_result *r)
{
	natsOptions *o = NULL;
	natsStatus s = natsOptions_Create(&o);

	if (s == NATS_OK)
		s = set_options(l->settings, o, r);
	if (s == NATS_OK)
		s = natsConnection_Connect(&l->nc, o);
	if (s == NATS_OK)
		s = natsInbox_Create(&l->inbox);
	if (s == NATS_OK)
		s = natsConnection_SubscribeSync(&l->acks, l->nc, l->inbox);
	natsOptions_Destroy(o);
	if (s == NATS_OK || r->what == NATSLINK_FAILED)
		return s;
	// The library's own words may hold the user and password of a URL, but for TLS it alone knows what is wrong.
	const char *more = s == NATS_SSL_ERROR ? nats_GetLastError(NULL) : NULL;
	failed(r, "no server can be used: %s%s%s", natsStatus_GetText(s), more != NULL ? ": " : "",
	       more != NULL ? more : "");
	return s;
}

// Is the stream there, and what does it have of us?
static void ask_for_last(struct natslink *l, struct natslink_result *r)
{
	const struct settings_nats *c = l->settings;
	const char *key = NULL;
	jsCtx *js = NULL;
	natsMsg *m = NULL;
	jsErrCode code = 0;
	natsStatus s = natsConnection_JetStream(&js, l->nc, NULL);

	if (s == NATS_OK)
		s = js_GetLastMsg(&m, js, c->stream, c->subject, NULL, &code);
	if (s == NATS_OK && natsMsgHeader_Get(m, "Nats-Msg-Id", &key) == NATS_OK) {
		snprintf(r->key, sizeof(r->key), "%s", key);
		r->line = strndup(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m));
	}
	if (s == NATS_OK || code == JSNoMessageFoundErr)
		r->what = NATSLINK_READY;
	else if (code == JSStreamNotFoundErr)
		stream_missing(c, "there is no such stream", r);
	else if (s == NATS_NO_RESPONDERS || code == JSNotEnabledErr ||
		 code == JSNotEnabledForAccountErr)
		failed(r, "JetStream is not enabled on the server (or not for this user)");
	else if (s == NATS_TIMEOUT)
		failed(r, "no answer (may this user ask $JS.API.STREAM.MSG.GET.%s?)", c->stream);
	else
		failed(r, "%s", natsStatus_GetText(s));
	natsMsg_Destroy(m);
	jsCtx_Destroy(js);
}

static natsStatus publish(struct natslink *l, const struct natslink_message *one)
{
	const struct settings_nats *c = l->settings;
	natsMsg *m = NULL;
	natsStatus s = natsMsg_Create(&m, c->subject, l->inbox, l->text + one->at, (int)one->len);

	if (s == NATS_OK)
		s = natsMsgHeader_Set(m, "Nats-Msg-Id", one->key);
	if (s == NATS_OK)
		s = natsMsgHeader_Set(m, "Nats-Expected-Stream", c->stream);
	if (s == NATS_OK)
		s = natsConnection_PublishMsg(l->nc, m);
	natsMsg_Destroy(m);
	return s;
}

// {"stream":"...","seq":...}, or {"error":{"description":"..."}}
static bool is_taken(const struct settings_nats *c, natsMsg *m, struct natslink_result *r)
{
	json_t *ack = json_loadb(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m), 0, NULL);
	const char *why =
		json_string_value(json_object_get(json_object_get(ack, "error"), "description"));
	const char *stream = json_string_value(json_object_get(ack, "stream"));
	bool taken = why == NULL && stream != NULL && strcmp(stream, c->stream) == 0;

	if (!taken)
		failed(r, "%s", why != NULL ? why : "somebody else answers on the subject");
	json_decref(ack);
	return taken;
}

// The next acknowledgement. False: it is none, or does not come.
static bool wait_ack(struct natslink *l, struct natslink_result *r)
{
	const uint64_t start = loop_now_ns();
	natsMsg *m = NULL;
	natsStatus s;

	while ((s = natsSubscription_NextMsg(&m, l->acks, SLICE_MS)) == NATS_TIMEOUT) {
		uint64_t waited_ms = (loop_now_ns() - start) / 1000000;
		if (waited_ms >= ACK_MS || (waited_ms >= END_MS && is_stopping(l)))
			break;
	}
	if (s == NATS_NO_RESPONDERS)
		stream_missing(l->settings, "no stream takes the subject", r);
	else if (s != NATS_OK)
		failed(r, "no acknowledgement: %s", natsStatus_GetText(s));
	if (s != NATS_OK)
		return false;
	bool taken = is_taken(l->settings, m, r);
	natsMsg_Destroy(m);
	return taken;
}

static void send_all(struct natslink *l, struct natslink_result *r)
{
	natsStatus s = l->nc != NULL ? NATS_OK : NATS_CONNECTION_CLOSED;

	for (size_t i = 0; i < l->n && s == NATS_OK; i++)
		s = publish(l, &l->messages[i]);
	if (s != NATS_OK) {
		failed(r, "cannot send: %s", natsStatus_GetText(s));
		return;
	}
	for (size_t i = 0; i < l->n; i++)
		if (!wait_ack(l, r))
			return;
	r->what = NATSLINK_TAKEN;
}

static void work(struct natslink *l, enum job job, struct natslink_result *r)
{
	if (job == JOB_SEND) {
		send_all(l, r);
	} else {
		hang_up(l);
		if (join(l, r) == NATS_OK)
			ask_for_last(l, r);
	}
	if (r->what == NATSLINK_FAILED)
		hang_up(l);
}

static void *run(void *ctx)
{
	struct natslink *l = ctx;

	pthread_mutex_lock(&l->lock);
	while (!l->stop) {
		struct natslink_result r = {0};

		if (l->job == JOB_NONE) {
			pthread_cond_wait(&l->wake, &l->lock);
			continue;
		}
		pthread_mutex_unlock(&l->lock);
		work(l, l->job, &r);
		pthread_mutex_lock(&l->lock);
		l->result = r;
		l->job = JOB_NONE;
		(void)eventfd_write(l->event_fd, 1);
	}
	pthread_mutex_unlock(&l->lock);
	hang_up(l); // the library stays: what its nats_Close() frees of OpenSSL is freed at exit again
	return NULL;
}

static void begin(struct natslink *l, enum job job)
{
	pthread_mutex_lock(&l->lock);
	l->job = job;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

void natslink_dial(struct natslink *l)
{
	begin(l, JOB_DIAL);
}

void natslink_send(struct natslink *l, const struct natslink_message *messages, size_t n,
		   const char *text)
{
	l->messages = messages;
	l->n = n;
	l->text = text;
	begin(l, JOB_SEND);
}

void natslink_result(struct natslink *l, struct natslink_result *ret_result)
{
	pthread_mutex_lock(&l->lock);
	*ret_result = l->result;
	l->result = (struct natslink_result){0};
	pthread_mutex_unlock(&l->lock);
}

int natslink_fd(const struct natslink *l)
{
	return l->event_fd;
}

int natslink_start(const struct settings_nats *settings, struct natslink **ret_link)
{
	struct natslink *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return -ENOMEM;
	l->settings = settings;
	l->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int err = l->event_fd < 0 ? -errno : 0;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->wake, NULL);
	if (err == 0)
		err = -pthread_create(&l->thread, NULL, run, l);
	if (err == 0) {
		*ret_link = l;
		return 0;
	}
	if (l->event_fd >= 0)
		close(l->event_fd);
	free(l);
	return err;
}

int natslink_stop(struct natslink *l, struct natslink_result *ret_result)
{
	struct timespec until;

	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += JOIN_S;
	*ret_result = (struct natslink_result){0};
	if (pthread_timedjoin_np(l->thread, NULL, &until) != 0)
		return -ETIMEDOUT;
	natslink_result(l, ret_result);
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
	close(l->event_fd);
	free(l);
	return 0;
}
