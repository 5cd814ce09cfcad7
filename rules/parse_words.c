// SPDX-License-Identifier: BSD-2-Clause
// The words of Suricata's rule language: so that a word that is known but not supported, a word of
// another protocol and a typing error each get their own answer. Names after the Suricata 7
// documentation.
#include "rules/parse_rule.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/suggest.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *name;
	int action; // enum rule_action, -1: not supported
} actions[] = {
	{"alert", RULE_ALERT},
	{"pass", RULE_PASS},
	{"drop", RULE_DROP},
	{"reject", RULE_REJECT},
	{"rejectsrc", RULE_REJECT},
	{"rejectdst", RULE_REJECT_DST},
	{"rejectboth", RULE_REJECT_BOTH},
	{"config", -1},
};

static const struct {
	const char *name;
	enum proto_kind kind;
} protos[] = {
	{"http", PROTO_HTTP},
	{"http1", PROTO_HTTP1},
	{"http2", PROTO_HTTP2},
	{"websocket", PROTO_WEBSOCKET},
	{"tcp", PROTO_TCP},
	{"tcp-stream", PROTO_TCP},
	{"tcp-pkt", PROTO_TCP_PKT},
	{"ip", PROTO_TCP}, // of all that is IP, streams are inspected
	{"ip4", PROTO_IPV4},
	{"ipv4", PROTO_IPV4},
	{"ip6", PROTO_IPV6},
	{"ipv6", PROTO_IPV6},
	{"udp", PROTO_SKIPPED},
	{"icmp", PROTO_SKIPPED},
	{"icmpv4", PROTO_SKIPPED},
	{"icmpv6", PROTO_SKIPPED},
	{"sctp", PROTO_SKIPPED},
	{"pkthdr", PROTO_SKIPPED},
	{"arp", PROTO_SKIPPED},
	{"ether", PROTO_SKIPPED},
	{"bittorrent-dht", PROTO_SKIPPED},
	{"dcerpc", PROTO_SKIPPED},
	{"dhcp", PROTO_SKIPPED},
	{"dnp3", PROTO_SKIPPED},
	{"dns", PROTO_SKIPPED},
	{"doh2", PROTO_SKIPPED},
	{"enip", PROTO_SKIPPED},
	{"ftp", PROTO_SKIPPED},
	{"ftp-data", PROTO_SKIPPED},
	{"ike", PROTO_SKIPPED},
	{"imap", PROTO_SKIPPED},
	{"krb5", PROTO_SKIPPED},
	{"ldap", PROTO_SKIPPED},
	{"mdns", PROTO_SKIPPED},
	{"modbus", PROTO_SKIPPED},
	{"mqtt", PROTO_SKIPPED},
	{"nfs", PROTO_SKIPPED},
	{"ntp", PROTO_SKIPPED},
	{"pgsql", PROTO_SKIPPED},
	{"pop3", PROTO_SKIPPED},
	{"quic", PROTO_SKIPPED},
	{"rdp", PROTO_SKIPPED},
	{"rfb", PROTO_SKIPPED},
	{"sip", PROTO_SKIPPED},
	{"smb", PROTO_SKIPPED},
	{"smtp", PROTO_SKIPPED},
	{"snmp", PROTO_SKIPPED},
	{"ssh", PROTO_SKIPPED},
	{"ssl", PROTO_SKIPPED},
	{"telnet", PROTO_SKIPPED},
	{"tftp", PROTO_SKIPPED},
	{"tls", PROTO_SKIPPED},
};

// The supported ones first: of two equally close words the first is suggested.
static const char *const keywords[] = {
	// clang-format off
	"content", "pcre", "uricontent", "nocase", "depth", "offset", "distance", "within",
	"startswith", "endswith", "fast_pattern", "rawbytes", "pkt_data", "flow", "msg", "sid",
	"rev", "gid", "classtype", "priority", "reference", "metadata", "target", "threshold", "detection_filter",
	"flowbits", "noalert", "file.data",
	"file_data", "http.method", "http.uri", "http.uri.raw", "http.host", "http.user_agent",
	"http.header", "http.cookie", "http.stat_code", "http.request_body", "http.response_body",
	"http_method", "http_uri", "http_raw_uri", "http_host", "http_user_agent", "http_header",
	"http_cookie", "http_stat_code", "http_client_body", "http_server_body",
	"http.host.raw", "http.header.raw", "http.header_names", "http.referer", "http.accept",
	"http.accept_enc", "http.accept_lang", "http.connection", "http.content_type",
	"http.content_len", "http.location", "http.server", "http.protocol", "http.start",
	"http.request_line", "http.response_line", "http.stat_msg", "http_accept",
	"http_accept_enc", "http_accept_lang", "http_connection", "http_content_len",
	"http_content_type", "http_header_names", "http_protocol", "http_raw_header",
	"http_raw_host", "http_referer", "http_request_line", "http_response_line",
	"http_start", "http_stat_msg", "bsize", "urilen", "isdataat", "byte_test", "byte_jump",
	"byte_extract", "byte_math", "base64_decode", "base64_data", "dotprefix", "to_lowercase",
	"to_uppercase", "strip_whitespace", "compress_whitespace", "url_decode", "to_md5",
	"to_sha1", "to_sha256", "header_lowercase", "strip_pseudo_headers", "pcrexform",
	"dsize", "tag", "prefilter",
	"xbits", "flowint", "stream_size", "app-layer-event",
	"http.request_header", "http.response_header", "http_request_header",
	"http_response_header",
	"dataset", "file.name", "fileext", "filemd5", "filename", "filesha1", "filesha256",
	"filesize", "filestore", "ip.src", "ip.dst", "websocket.payload",
	// files, not supported
	"file.magic", "filemagic",
	// payload, transforms, state
	"absent", "datarep", "entropy", "from_base64", "gunzip", "replace",
	"rpc", "subslice", "xor", "zlib_deflate",
	"hostbits", "iprep", "lua", "luajit", "luaxform", "alert",
	"app-layer-protocol", "app-layer-state", "asn1", "bypass", "config",
	"count", "decode-event", "domain", "engine-event", "frame", "geoip",
	"requires", "stream-event",
	"tld",
	// packets and flows
	"ack", "icmpv4-csum", "icmpv6-csum", "ipv4-csum", "tcpv4-csum", "tcpv6-csum", "udpv4-csum",
	"udpv6-csum", "ether.hdr", "flags", "flow.age", "flow.bytes", "flow.bytes_toclient",
	"flow.bytes_toserver", "flow.elephant", "flow.pkts", "flow.pkts_toclient",
	"flow.pkts_toserver", "fragbits", "fragoffset", "icmp_id", "icmp_seq", "icmpv4.hdr",
	"icmpv6.hdr", "icmpv6.mtu", "icode", "id", "ip_proto", "ipopts",
	"ipv4.hdr", "ipv6.hdr", "itype", "l3_proto", "nfq_set_mark", "sameip", "seq", "tcp.ack",
	"tcp.flags", "tcp.hdr", "tcp.mss", "tcp.seq", "tcp.window", "tos", "ttl", "udp.hdr",
	"vlan.id", "vlan.layers", "window",
	// other protocols
	"cip_service", "dce_iface", "dce_opnum", "dce_stub_data", "dcerpc.iface", "dcerpc.opnum",
	"dcerpc.stub_data", "dhcp.leasetime", "dhcp.rebinding_time", "dhcp.renewal_time",
	"dnp3.data", "dnp3.func", "dnp3.ind", "dnp3.obj", "dnp3_data", "dnp3_func", "dnp3_ind",
	"dnp3_obj", "dns.answer.name", "dns.opcode", "dns.query", "dns.query.name",
	"dns.queries.rrname", "dns.answers.rrname", "dns.rcode", "dns.rrtype", "dns_query",
	"enip_command", "ftp.bounce", "ftp.command", "ftp.reply", "ftpbounce", "ftpdata_command",
	"hassh", "hassh.server", "hassh.server.string", "hassh.string", "http2.errorcode",
	"http2.frametype", "http2.header", "http2.header_name", "http2.priority", "http2.settings",
	"http2.size_update", "http2.window", "ike.chosen_sa_attribute", "ike.exchtype",
	"ike.init_spi", "ike.key_exchange_payload", "ike.key_exchange_payload_length",
	"ike.nonce_payload", "ike.nonce_payload_length", "ike.resp_spi", "ike.vendor", "ja3.hash",
	"ja3.string", "ja3_hash", "ja3_string", "ja3s.hash", "ja3s.string", "ja4.hash",
	"krb5.cname", "krb5.sname", "krb5.ticket_encryption", "krb5.weak_encryption", "krb5_cname",
	"krb5_err_code", "krb5_msg_type", "krb5_sname", "modbus", "mqtt.connack.session_present",
	"mqtt.connect.clientid", "mqtt.connect.flags", "mqtt.connect.password",
	"mqtt.connect.protocol_string", "mqtt.connect.username", "mqtt.connect.willmessage",
	"mqtt.connect.willtopic", "mqtt.flags", "mqtt.protocol_version", "mqtt.publish.message",
	"mqtt.publish.topic", "mqtt.qos", "mqtt.reason_code", "mqtt.subscribe.topic", "mqtt.type",
	"mqtt.unsubscribe.topic", "nfs.version", "nfs_procedure", "nfs_version", "quic.cyu.hash",
	"quic.cyu.string", "quic.sni", "quic.ua", "quic.version", "rfb.name", "rfb.secresult",
	"rfb.sectype", "sip.content_length", "sip.content_type", "sip.from", "sip.method",
	"sip.protocol", "sip.request_line", "sip.response_line", "sip.stat_code", "sip.stat_msg",
	"sip.to", "sip.ua", "sip.uri", "sip.via", "smb.named_pipe", "smb.ntlmssp_domain",
	"smb.ntlmssp_user", "smb.share", "smb.version", "smtp.helo", "smtp.mail_from",
	"smtp.rcpt_to", "snmp.community", "snmp.pdu_type", "snmp.usm", "snmp.version", "ssh.hassh",
	"ssh.hassh.server", "ssh.hassh.server.string", "ssh.hassh.string", "ssh.proto",
	"ssh.protoversion", "ssh.software", "ssh.softwareversion", "ssh_proto", "ssh_software",
	"ssl_state", "ssl_version", "tls.cert_chain_len", "tls.cert_fingerprint",
	"tls.cert_issuer", "tls.cert_serial", "tls.cert_subject", "tls.certs", "tls.fingerprint",
	"tls.issuerdn", "tls.random", "tls.random_bytes", "tls.random_time", "tls.sni",
	"tls.store", "tls.subject", "tls.subjectaltname", "tls.version", "tls_cert_expired",
	"tls_cert_fingerprint", "tls_cert_issuer", "tls_cert_notafter", "tls_cert_notbefore",
	"tls_cert_serial", "tls_cert_subject", "tls_cert_valid", "tls_sni", "websocket.flags",
	"websocket.mask", "websocket.opcode",
	// clang-format on
};

// Suricata's default classification.config.
static const struct {
	const char *name;
	uint8_t priority;
} classtypes[] = {
	{"attempted-admin", 1},
	{"attempted-user", 1},
	{"command-and-control", 1},
	{"credential-theft", 1},
	{"domain-c2", 1},
	{"exploit-kit", 1},
	{"inappropriate-content", 1},
	{"policy-violation", 1},
	{"shellcode-detect", 1},
	{"successful-admin", 1},
	{"successful-user", 1},
	{"targeted-activity", 1},
	{"trojan-activity", 1},
	{"unsuccessful-user", 1},
	{"web-application-attack", 1},
	{"attempted-dos", 2},
	{"attempted-recon", 2},
	{"bad-unknown", 2},
	{"coin-mining", 2},
	{"default-login-attempt", 2},
	{"denial-of-service", 2},
	{"external-ip-check", 2},
	{"misc-attack", 2},
	{"non-standard-protocol", 2},
	{"pup-activity", 2},
	{"rpc-portmap-decode", 2},
	{"social-engineering", 2},
	{"successful-dos", 2},
	{"successful-recon-largescale", 2},
	{"successful-recon-limited", 2},
	{"suspicious-filename-detect", 2},
	{"suspicious-login", 2},
	{"system-call-detect", 2},
	{"unusual-client-port-connection", 2},
	{"web-application-activity", 2},
	{"tcp-connection", 4},
};

// Names of about the same length only: a file of a million typing errors shall not take hours.
static const char *closest(struct text word, const char *const *names, size_t n)
{
	const char *near[N(keywords)];
	size_t n_near = 0;
	char buf[65];

	if (word.n >= sizeof(buf))
		return NULL;
	for (size_t i = 0; i < n && n_near < N(near); i++) {
		size_t len = strlen(names[i]);

		if (len <= word.n + 2 && word.n <= len + 2)
			near[n_near++] = names[i];
	}
	memcpy(buf, word.s, word.n);
	buf[word.n] = '\0';
	for (char *c = buf; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c |= 0x20;
	return suggest_closest(buf, near, n_near);
}

int words_action(struct text name, const char **ret_closest)
{
	const char *names[N(actions)];

	for (size_t i = 0; i < N(actions); i++) {
		if (text_is(name, actions[i].name))
			return actions[i].action >= 0 ? actions[i].action : -ENOTSUP;
		names[i] = actions[i].name;
	}
	*ret_closest = closest(name, names, N(actions));
	return -ENOENT;
}

enum proto_kind words_proto(struct text name, const char **ret_name, const char **ret_closest)
{
	const char *names[N(protos)];

	static_assert(N(protos) <= RULES_PROTOS_MAX, "room to count each");
	for (size_t i = 0; i < N(protos); i++) {
		if (text_is(name, protos[i].name)) {
			*ret_name = protos[i].name;
			return protos[i].kind;
		}
		names[i] = protos[i].name;
	}
	*ret_closest = closest(name, names, N(names));
	return PROTO_UNKNOWN;
}

const char *words_refusal(struct text name)
{
	static const struct {
		const char *name, *why;
	} table[] = {
		{"filemagic",
		 "what a file is by its bytes is not determined (file.data and content are)"},
		{"file.magic",
		 "what a file is by its bytes is not determined (file.data and content are)"},
		{"datarep", "lists have no reputation (dataset: is it listed?)"},

		{"lua", "rules carry no programs"},
		{"luajit", "rules carry no programs"},
		{"luaxform", "rules carry no programs"},
		{"replace", "frames leave as they came"},
	};

	for (size_t i = 0; i < N(table); i++)
		if (text_is(name, table[i].name))
			return table[i].why;
	return NULL;
}

bool words_is_keyword(struct text name, const char **ret_closest)
{
	for (size_t i = 0; i < N(keywords); i++)
		if (text_is(name, keywords[i]))
			return true;
	*ret_closest = closest(name, keywords, N(keywords));
	return false;
}

uint8_t words_classtype_priority(struct text name)
{
	for (size_t i = 0; i < N(classtypes); i++)
		if (text_is(name, classtypes[i].name))
			return classtypes[i].priority;
	return 3;
}
