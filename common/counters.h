// SPDX-License-Identifier: BSD-2-Clause
// Every counter of the dataplane, in one table: X(id, "dotted.name", "sentence an operator understands").
//
// Per worker, 64 bits, only its worker writes it. Another thread reads published copies (struct worker).
// The CLI, metrics, EVE stats and tests print from this table; there is no counter without a row here.
#ifndef COMMON_COUNTERS_H
#define COMMON_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#define COUNTER_TABLE(X)                                                                           \
	/* capture and forwarding */                                                               \
	X(RX_PKTS, "capture.packets", "frames received")                                           \
	X(RX_BYTES, "capture.bytes", "bytes of frames received")                                   \
	X(TX_PKTS, "forward.packets", "frames forwarded to the peer port")                         \
	X(TX_BYTES, "forward.bytes", "bytes of frames forwarded")                                  \
	X(TX_FAILED, "forward.failed", "frames the peer port did not take in time")                \
	X(TAP_FREED, "capture.tap_freed", "frames inspected and freed in tap mode")                \
	X(RX_STEERED, "capture.steered", "frames handed to the worker that owns their flow")       \
	X(RX_STEER_FULL, "capture.steer_full",                                                     \
	  "frames not inspected: the other worker's queue was full")                               \
	X(RX_TOGETHER, "capture.directions_together",                                              \
	  "flows whose first frames the queues of the ports gave to one worker")                   \
	X(RX_APART, "capture.wrong_worker",                                                        \
	  "flows whose second direction the queues of the ports gave to another worker: not "      \
	  "inspected as one")                                                                      \
	X(BLOCKED_FLOWS, "enforce.flows", "flows that a drop or reject rule has stopped")          \
	X(BLOCKED_PKTS, "enforce.packets", "frames of stopped flows, not forwarded")               \
	X(RESETS, "enforce.resets", "resets sent to the hosts of rejected flows")                  \
	X(RESETS_FAILED, "enforce.not_reset",                                                      \
	  "frames of rejected flows without a reset: in a tunnel, in a fragment, or no buffer")    \
	X(RX_NO_RULESET, "detect.no_ruleset", "messages seen while no rule set was live")          \
	/* decode */                                                                               \
	X(PKT_COPIED, "decode.copied",                                                             \
	  "frames copied because too few readable bytes followed them")                            \
	X(PKT_TRUNCATED, "decode.truncated",                                                       \
	  "frames cut by the capture: bytes on the wire were not seen")                            \
	X(PKT_SHORT, "decode.short", "frames shorter than their headers say")                      \
	X(PKT_NOT_IP, "decode.not_ip", "frames that are not IP")                                   \
	X(PKT_VLAN_DEPTH, "decode.vlan_depth", "frames with more than four VLAN tags")             \
	X(PKT_TUNNEL_DEPTH, "decode.tunnel_depth", "packets in more than four tunnels")            \
	X(PKT_BAD_IPV4, "decode.bad_ipv4", "IPv4 headers no host accepts")                         \
	X(PKT_BAD_IPV6, "decode.bad_ipv6", "IPv6 headers no host accepts")                         \
	X(PKT_FRAGMENT, "decode.fragment",                                                         \
	  "frames with a piece of an IP datagram that was not whole with it")                      \
	X(PKT_NOT_TCP, "decode.not_tcp", "IP packets that are not TCP")                            \
	X(PKT_BAD_TCP, "decode.bad_tcp", "TCP headers no host accepts")                            \
	X(PKT_BAD_CSUM, "decode.bad_checksum",                                                     \
	  "packets with a wrong checksum, not inspected as a host would not; of flows let go "     \
	  "only their ends are looked at")                                                         \
	X(PKT_TCP, "decode.tcp", "TCP packets decoded")                                            \
	X(PKT_IPV4, "decode.ipv4", "IPv4 packets")                                                 \
	X(PKT_IPV6, "decode.ipv6", "IPv6 packets")                                                 \
	X(PKT_VLAN, "decode.vlan", "frames with a VLAN tag")                                       \
	X(PKT_TTL_DROP, "decode.ttl_drop",                                                         \
	  "packets whose TTL or hop limit is more than 5 below others of their flow's direction")  \
	X(PKT_TTL_SHORT, "decode.ttl_short",                                                       \
	  "packets whose TTL or hop limit ends before the server (hops_to_servers): their bytes "  \
	  "are scanned as another reading")                                                        \
	/* tunnels: packets that were looked into */                                               \
	X(TUN_PPPOE, "tunnel.pppoe", "packets in PPPoE sessions")                                  \
	X(TUN_MPLS, "tunnel.mpls", "packets with MPLS labels")                                     \
	X(TUN_PBB, "tunnel.pbb", "frames in provider backbone bridges (802.1ah)")                  \
	X(TUN_GRE, "tunnel.gre", "packets in GRE")                                                 \
	X(TUN_ERSPAN, "tunnel.erspan", "frames of ERSPAN mirrors")                                 \
	X(TUN_IPIP, "tunnel.ipip", "IP packets in IP packets")                                     \
	X(TUN_VXLAN, "tunnel.vxlan", "packets in VXLAN")                                           \
	X(TUN_GENEVE, "tunnel.geneve", "packets in Geneve")                                        \
	X(TUN_TEREDO, "tunnel.teredo", "IPv6 packets in Teredo")                                   \
	X(TUN_L2TP, "tunnel.l2tp", "packets in L2TP")                                              \
	X(TUN_GTP, "tunnel.gtp", "packets on the port of GTP-U, not looked into")                  \
	X(TUN_OFF, "tunnel.off", "packets in tunnels that the configuration leaves closed")        \
	/* fragments */                                                                            \
	X(FRAG_DATAGRAMS, "frag.datagrams", "fragmented datagrams begun")                          \
	X(FRAG_ACTIVE, "frag.active", "fragmented datagrams that wait for more pieces now")        \
	X(FRAG_DONE, "frag.reassembled", "fragmented datagrams put together")                      \
	X(FRAG_TIMEOUT, "frag.timeout", "fragmented datagrams given up: a piece did not come")     \
	X(FRAG_EVICTED, "frag.evicted",                                                            \
	  "fragmented datagrams given up to make room: not inspected")                             \
	X(FRAG_SOURCE_FULL, "frag.source_full",                                                    \
	  "fragmented datagrams given up: 64 others from the same source wait")                    \
	X(FRAG_OVERLAP, "frag.overlap",                                                            \
	  "fragmented datagrams dropped as hosts do: pieces overlap in part")                      \
	X(FRAG_BAD_END, "frag.bad_end",                                                            \
	  "fragmented datagrams dropped as hosts do: pieces disagree on the end, or one is empty") \
	X(FRAG_TOO_LONG, "frag.too_long",                                                          \
	  "fragmented datagrams dropped as hosts do: longer than 65,535 bytes")                    \
	X(FRAG_SHUTDOWN, "frag.shutdown", "fragmented datagrams unfinished at the end of input")   \
	X(FRAG_DUPLICATE, "frag.duplicate", "pieces received before")                              \
	X(FRAG_CONFLICT, "frag.conflict",                                                          \
	  "pieces received before with other bytes: the first ones count")                         \
	X(FRAG_AMBIGUOUS, "frag.ambiguous",                                                        \
	  "datagrams of tracked flows put together from pieces that disagreed")                    \
	X(FRAG_HANDED, "frag.handed_over",                                                         \
	  "segments put together from fragments and handed to the worker of their flow")           \
	X(FRAG_NOT_HANDED, "frag.not_handed_over",                                                 \
	  "segments put together from fragments that did not reach the worker of their flow: its " \
	  "inbox was full, or no packet memory was left")                                          \
	X(FRAG_FAR, "frag.far_apart",                                                              \
	  "datagrams with more than 64 pieces of others between theirs: some hosts drop them")     \
	/* flows */                                                                                \
	X(FLOW_CREATED, "flow.created", "TCP flows tracked")                                       \
	X(FLOW_ACTIVE, "flow.active", "TCP flows tracked now")                                     \
	X(FLOW_CLOSED, "flow.closed", "flows ended by FIN or RST")                                 \
	X(FLOW_TIMEOUT, "flow.timeout", "flows ended by silence")                                  \
	X(FLOW_EVICTED, "flow.evicted", "flows ended early to make room in a full table")          \
	X(FLOW_SHUTDOWN, "flow.shutdown", "flows ended by the end of the input or the program")    \
	X(FLOW_REUSED, "flow.reused",                                                              \
	  "flows that began on the addresses and ports of a closed one")                           \
	X(FLOW_NONE, "flow.none",                                                                  \
	  "packets without a flow: table full or nothing to track, forwarded uninspected")         \
	X(FLOW_MIDSTREAM, "flow.midstream", "flows picked up without their handshake")             \
	/* TCP */                                                                                  \
	X(TCP_PAYLOAD, "tcp.payload_bytes", "TCP payload bytes received in tracked flows")         \
	X(TCP_DELIVERED, "tcp.delivered_bytes",                                                    \
	  "payload bytes reassembled in order and inspected, but for overload.body_bytes")         \
	X(TCP_RELEASED, "tcp.released_bytes", "payload bytes of released flows, passed by unread") \
	X(TCP_DUPLICATE, "tcp.duplicate_bytes", "payload bytes already received")                  \
	X(TCP_OVERLAP_DIFF, "tcp.overlap_conflict",                                                \
	  "retransmissions that carry other bytes than the first copy")                            \
	X(TCP_OUT_OF_WINDOW, "tcp.out_of_window_bytes",                                            \
	  "payload bytes outside the receive window, not inspected")                               \
	X(TCP_IGNORED, "tcp.ignored_bytes", "payload bytes in segments no host accepts")           \
	X(TCP_AFTER_FIN, "tcp.after_fin_bytes", "payload bytes after the end of the stream")       \
	X(TCP_OOO_QUEUED, "tcp.queued_bytes", "payload bytes held for reordering")                 \
	X(TCP_OOO_HELD, "tcp.held_bytes", "payload bytes held for reordering now")                 \
	X(TCP_GAPS, "tcp.gaps", "holes in a stream that were skipped")                             \
	X(TCP_GAP_BYTES, "tcp.gap_bytes", "bytes in skipped holes, not seen on the wire")          \
	X(TCP_RST_IGNORED, "tcp.rst_ignored", "resets no host obeys")                              \
	X(TCP_SYN_IGNORED, "tcp.syn_ignored", "SYNs inside an open connection")                    \
	X(TCP_OLD_TS, "tcp.old_timestamp_bytes",                                                   \
	  "payload bytes with a timestamp older than the last one (PAWS)")                         \
	X(TCP_BAD_ACK, "tcp.bad_ack_bytes",                                                        \
	  "payload bytes with an acknowledgement too old for a host to accept")                    \
	X(TCP_BESIDE, "tcp.beside",                                                                \
	  "segments with data that Linux does not take: scanned as another reading")               \
	X(TCP_AFTER_RST, "tcp.after_reset", "segments with data after a reset: read on")           \
	X(TCP_DOUBTFUL, "tcp.doubtful",                                                            \
	  "segments held back until it shows whether their receiver took them")                    \
	X(TCP_FORGOTTEN, "tcp.forgotten",                                                          \
	  "retransmissions whose first copy is not remembered: not compared")                      \
	X(TCP_NO_HISTORY, "tcp.no_history",                                                        \
	  "directions whose last bytes are not remembered: pool empty")                            \
	X(TCP_ALT_LIMIT, "tcp.alternatives_skipped",                                               \
	  "other readings not scanned: too many in a second")                                      \
	X(TCP_URGENT, "tcp.urgent", "urgent bytes: read with and without them")                    \
	X(TCP_URGENT_BYTES, "tcp.urgent_bytes", "urgent bytes taken out of their stream")          \
	/* first bytes */                                                                          \
	X(APP_HTTP_FLOWS, "app.http", "flows classified as HTTP")                                  \
	X(APP_TLS_FLOWS, "app.tls", "flows released as TLS")                                       \
	X(APP_SSH_FLOWS, "app.ssh", "flows released as SSH")                                       \
	X(APP_OPAQUE_FLOWS, "app.opaque", "flows released as neither HTTP nor known")              \
	X(APP_SOCKS, "app.socks",                                                                  \
	  "SOCKS hand-shakes passed over: what follows is judged like the first bytes of a flow")  \
	X(APP_READ_AFTER_RELEASE, "app.read_after_release",                                        \
	  "payload bytes read after a flow was released: always 0")                                \
	X(APP_PREFIX_BYTES, "app.prefix_bytes",                                                    \
	  "payload bytes looked at to classify flows that were then released")                     \
	/* HTTP */                                                                                 \
	X(HTTP_REQUESTS, "http.requests", "request heads parsed")                                  \
	X(HTTP_RESPONSES, "http.responses", "response heads parsed")                               \
	X(HTTP_TRANSACTIONS, "http.transactions", "transactions ended")                            \
	X(HTTP_BODY_BYTES, "http.body_bytes", "body bytes after dechunking")                       \
	X(HTTP_DECODED_BYTES, "http.decoded_bytes", "body bytes after content decoding")           \
	X(HTTP_RAW_BYTES, "http.raw_bytes", "bytes scanned raw after a framing error")             \
	X(HTTP_BAD_START, "http.bad_start_line",                                                   \
	  "messages whose start line is not HTTP: read raw until a line is")                       \
	X(HTTP_ODD_START, "http.odd_start_line",                                                   \
	  "start lines with junk, blanks or versions that some servers take")                      \
	X(HTTP_BAD_HEADER, "http.bad_header",                                                      \
	  "header lines without a colon or with control bytes, read as servers do")                \
	X(HTTP_FOLDED, "http.folded_header", "header lines that go on in the next line")           \
	X(HTTP_LINE_END, "http.odd_line_end",                                                      \
	  "lines of heads and chunks that end with a bare LF or have a CR inside")                 \
	X(HTTP_HOSTS, "http.several_hosts", "requests with more than one Host")                    \
	X(HTTP_BAD_CHUNK, "http.bad_chunk",                                                        \
	  "chunked bodies with broken framing: all that follows is taken as body")                 \
	X(HTTP_ODD_CHUNK, "http.odd_chunk",                                                        \
	  "chunked bodies with framing that only some hosts take")                                 \
	X(HTTP_BAD_LENGTH, "http.bad_content_length",                                              \
	  "Content-Length values no server accepts, or on messages without a body")                \
	X(HTTP_LENGTHS, "http.several_content_lengths",                                            \
	  "messages with more than one Content-Length")                                            \
	X(HTTP_CL_TE, "http.cl_te", "messages with both Content-Length and Transfer-Encoding")     \
	X(HTTP_ODD_TE, "http.odd_transfer_encoding",                                               \
	  "Transfer-Encoding that hosts read differently")                                         \
	X(HTTP_ODD_CODING, "http.odd_content_encoding",                                            \
	  "Content-Encoding that hosts read differently")                                          \
	X(HTTP_HEAD_TOO_LONG, "http.head_too_long",                                                \
	  "message heads over 64 KiB or 1024 lines: read raw until a line begins a message")       \
	X(HTTP_HEAD_NO_BUFFER, "http.head_no_buffer",                                              \
	  "heads not gathered: buffer pool empty, the direction goes on raw")                      \
	X(HTTP_NO_CONN, "http.no_connection", "HTTP flows not inspected: connection pool empty")   \
	X(HTTP_NO_MESSAGE, "http.no_message", "messages not inspected: message pool empty")        \
	X(HTTP_PIPELINE_FULL, "http.pipeline_full",                                                \
	  "requests beyond the tracked pipeline depth: their responses are taken as unpaired")     \
	X(HTTP_NO_REQUEST, "http.no_request", "responses without their request")                   \
	X(HTTP_UPGRADED, "http.upgraded",                                                          \
	  "connections that left HTTP by Upgrade or within a tunnel, released")                    \
	X(HTTP_TUNNELS, "http.tunnels",                                                            \
	  "CONNECT tunnels: what they carry is judged like the first bytes of a flow")             \
	X(HTTP_GAP_IN_HEAD, "http.gap_in_head",                                                    \
	  "directions that lost bytes outside a body: they go on raw")                             \
	X(HTTP_GAP_IN_BODY, "http.gap_in_body", "bodies with lost bytes")                          \
	X(HTTP_RESYNC, "http.resync", "messages found again after their framing was lost")         \
	X(HTTP_TRUNCATED, "http.truncated", "messages that ended early")                           \
	X(HTTP_ALT_BYTES, "http.alternative_bytes",                                                \
	  "bytes scanned once more under another reading, hits in them are marked ambiguous")      \
	X(HTTP_ALT_LIMIT, "http.alternative_limit",                                                \
	  "other readings not scanned to their end: budget of the flow used up, or no room")       \
	/* WebSocket */                                                                            \
	X(WS_CONNS, "websocket.connections", "connections that turned from HTTP to WebSocket")     \
	X(WS_NO_CONN, "websocket.no_connection",                                                   \
	  "WebSocket connections released: state pool empty")                                      \
	X(WS_MESSAGES, "websocket.messages", "WebSocket messages, control frames apart")           \
	X(WS_BYTES, "websocket.bytes", "bytes of WebSocket messages before decompression")         \
	X(WS_JOINED, "websocket.joined",                                                           \
	  "WebSocket messages inspected as one with the message before: too many tiny ones")       \
	X(WS_BAD_FRAME, "websocket.bad_frame",                                                     \
	  "directions with a WebSocket frame no endpoint accepts: they go on raw")                 \
	X(WS_GAP, "websocket.gap", "directions that lost bytes outside a payload: they go on raw") \
	X(WS_NO_STATE, "websocket.no_state",                                                       \
	  "compressed WebSocket messages scanned as sent: state pool empty")                       \
	X(WS_BAD_DATA, "websocket.bad_data",                                                       \
	  "compressed WebSocket messages that are broken: the rest is scanned as sent")            \
	X(WS_INFLATE_LIMIT, "websocket.inflate_limit",                                             \
	  "WebSocket messages whose decompression hit a budget: the rest is scanned as sent")      \
	/* HTTP/2 in the clear */                                                                  \
	X(H2_CONNS, "http2.connections", "connections that speak HTTP/2 in the clear")             \
	X(H2_NO_CONN, "http2.no_connection", "HTTP/2 connections released: state pool empty")      \
	X(H2_FRAMES, "http2.frames", "HTTP/2 frames read")                                         \
	X(H2_STREAMS, "http2.streams", "HTTP/2 streams opened")                                    \
	X(H2_STREAMS_FULL, "http2.stream_evicted",                                                 \
	  "HTTP/2 streams given up early for a younger one: more than 128 at a time, or pool "     \
	  "empty")                                                                                 \
	X(H2_NO_STREAM, "http2.no_stream", "HTTP/2 frames not inspected: stream pool empty")       \
	X(H2_TUNNEL_BYTES, "http2.tunnel_bytes",                                                   \
	  "bytes of HTTP/2 streams that are CONNECT tunnels, passed by unread")                    \
	X(H2_RESETS, "http2.resets", "HTTP/2 streams reset")                                       \
	X(H2_HEAD_CUT, "http2.head_cut",                                                           \
	  "HTTP/2 heads of which not all fields are inspected: over 64 KiB, or grown out of "      \
	  "proportion")                                                                            \
	X(H2_BAD_FRAME, "http2.bad_frame",                                                         \
	  "directions with an HTTP/2 frame no endpoint accepts: they go on raw")                   \
	X(H2_BAD_HEADERS, "http2.bad_headers",                                                     \
	  "directions with an HTTP/2 header block that cannot be decompressed: they go on raw")    \
	X(H2_NO_STATE, "http2.no_state",                                                           \
	  "HTTP/2 directions without memory for header decompression: they go on raw")             \
	X(H2_GAP, "http2.gap", "directions that lost bytes outside a body: they go on raw")        \
	X(FILES, "files.ended", "bodies and parts of bodies looked at as files")                   \
	X(FILE_NO_STATE, "files.no_state", "bodies not looked at as files: pool empty")            \
	X(FILE_NO_HASH, "files.no_hash", "files without a digest: pool empty")                     \
	/* content decoding */                                                                     \
	X(DECODE_STARTED, "decompress.bodies", "bodies decompressed")                              \
	X(DECODE_NO_STATE, "decompress.no_state",                                                  \
	  "compressed bodies scanned as sent: state pool empty")                                   \
	X(DECODE_UNSUPPORTED, "decompress.unsupported",                                            \
	  "content codings that are not decoded: scanned as sent")                                 \
	X(DECODE_BAD_DATA, "decompress.bad_data",                                                  \
	  "compressed bodies that are broken: the rest is scanned as sent")                        \
	X(DECODE_BAD_CHECKSUM, "decompress.bad_checksum",                                          \
	  "compressed bodies whose checksum is wrong: inspected all the same")                     \
	X(DECODE_TRUNCATED, "decompress.truncated",                                                \
	  "compressed bodies that ended early: what was there has been inspected")                 \
	X(DECODE_JUNK, "decompress.junk",                                                          \
	  "compressed bodies with bytes behind their end, scanned as sent")                        \
	X(DECODE_LIMIT, "decompress.limit",                                                        \
	  "bodies whose decompression hit a budget: the rest is scanned as sent")                  \
	/* multipart */                                                                            \
	X(MIME_BODIES, "multipart.bodies", "multipart bodies read part by part")                   \
	X(MIME_PARTS, "multipart.parts", "parts of multipart bodies")                              \
	X(MIME_NO_BOUNDARY, "multipart.no_boundary",                                               \
	  "multipart bodies without a usable boundary: inspected as a whole")                      \
	X(MIME_ODD_BOUNDARY, "multipart.odd_boundary",                                             \
	  "lines that begin with a boundary and go on: data for some servers, the end of a part "  \
	  "for others")                                                                            \
	X(MIME_HEAD_TOO_LONG, "multipart.head_too_long",                                           \
	  "heads of parts over 8 KiB: the rest is taken for data")                                 \
	X(MIME_PARTS_LIMIT, "multipart.parts_limit",                                               \
	  "multipart bodies of more than 1,000 parts: the rest is inspected as a whole")           \
	X(MIME_UNTERMINATED, "multipart.unterminated", "multipart bodies that end within a part")  \
	X(MIME_NAME_CUT, "multipart.name_cut", "names in heads of parts that were too long")       \
	/* ranges */                                                                               \
	X(RANGE_PIECES, "range.pieces", "pieces of resources in 206 responses")                    \
	X(RANGE_JOINED, "range.joined", "resources hashed as a whole from their pieces")           \
	X(RANGE_PARTIAL, "range.partial",                                                          \
	  "pieces not joined for hashing: out of order, damaged, encoded or seen before")          \
	X(RANGE_COVERED, "range.covered",                                                          \
	  "resources all of whose pieces came, but out of order: not hashed as a whole")           \
	X(RANGE_EVICTED, "range.evicted", "resources forgotten early to make room for others")     \
	/* detection */                                                                            \
	X(SCAN_BYTES, "detect.scanned_bytes", "bytes given to Hyperscan, all buffers")             \
	X(SCAN_CALLS, "detect.scans", "Hyperscan calls")                                           \
	X(SCAN_FAILED, "detect.scan_failed", "Hyperscan calls that failed: bytes not inspected")   \
	X(SIG_FIRED, "detect.signatures", "prefilter signatures that matched")                     \
	X(CANDIDATES, "detect.candidates", "rules verified because their signature matched")       \
	X(ACTIVATED, "detect.activated", "rule conditions opened on a body")                       \
	X(VERIFIED, "detect.verified", "links verified where their anchor stands")                 \
	X(WATCH_FULL, "detect.watch_full", "rules that could not wake up: pool empty")             \
	X(WATCH_BUDGET, "detect.budget_spent",                                                     \
	  "messages on which verification cost too much: rules awake were given up")               \
	X(ACTIVE_FULL, "detect.active_full", "rule conditions not opened: pool empty")             \
	X(WINDOW_NONE, "detect.window_none", "bodies without a confirm window: pool empty")        \
	X(WINDOW_SHORT, "detect.window_short",                                                     \
	  "conditions opened without all the bytes before them")                                   \
	X(HEAD_NOT_KEPT, "detect.head_not_kept",                                                   \
	  "message heads too large or pools empty: late head conditions fail")                     \
	X(FLOWVARS_FULL, "detect.flowvars_full",                                                   \
	  "flowbits and flowints not kept: pool empty, or too many on one connection")             \
	X(XBITS_EVICTED, "detect.xbits_evicted", "xbits that made room for newer ones")            \
	X(PASSED, "detect.passed", "flows of which a pass rule silences the rest")                 \
	X(EVAL_LIMIT, "detect.eval_limit",                                                         \
	  "rule verifications that hit their step budget and failed")                              \
	X(PCRE_LIMIT, "detect.pcre_limit", "regular expressions that hit their match limit")       \
	X(STREAMS_FULL, "detect.streams_full", "bodies not inspected: no Hyperscan stream")        \
	X(HITS, "detect.hits", "rule hits")                                                        \
	X(HITS_LOST, "detect.hits_lost", "hits lost because the ring was full")                    \
	X(EVENTS, "event.emitted", "events emitted")                                               \
	X(EVENTS_LOST, "event.lost", "events lost because the ring was full")                      \
	/* overload (dataplane/overload.h) */                                                      \
	X(OVERLOAD_LEVEL, "overload.level",                                                        \
	  "levels at which workers pass over bodies of large flows, added up, now")                \
	X(OVERLOAD_RAISED, "overload.raised",                                                      \
	  "times that a worker began to pass over bodies, or those of smaller flows, too")         \
	X(OVERLOAD_BODIES, "overload.bodies",                                                      \
	  "bodies of large flows whose rest was passed over: a worker could not keep up")          \
	X(OVERLOAD_BYTES, "overload.body_bytes", "bytes of bodies that were passed over")          \
	/* coverage ledger (common/coverage.h) */                                                  \
	X(COVERED_INSPECTED_FLOWS, "coverage.inspected_flows", "flows that ended and were read")   \
	X(COVERED_ENCRYPTED_FLOWS, "coverage.encrypted_flows", "flows that ended as TLS or SSH")   \
	X(COVERED_OPAQUE_FLOWS, "coverage.opaque_flows",                                           \
	  "flows that ended as neither HTTP nor known")                                            \
	X(COVERED_SCOPE_FLOWS, "coverage.scope_flows",                                             \
	  "flows that ended and were outside of the declared scope")                               \
	X(COVERED_OVERLOAD_FLOWS, "coverage.overload_flows",                                       \
	  "flows that ended unread: a pool was empty")                                             \
	X(COVERED_SILENT_FLOWS, "coverage.silent_flows",                                           \
	  "flows that ended before anything could tell what they are")                             \
	X(COVERED_ENCRYPTED_BYTES, "coverage.encrypted_bytes",                                     \
	  "released payload bytes of ended flows: TLS and SSH")                                    \
	X(COVERED_OPAQUE_BYTES, "coverage.opaque_bytes",                                           \
	  "released payload bytes of ended flows: other protocols")                                \
	X(COVERED_SCOPE_BYTES, "coverage.scope_bytes",                                             \
	  "released payload bytes of ended flows: out of scope")                                   \
	X(COVERED_OVERLOAD_BYTES, "coverage.overload_bytes",                                       \
	  "released payload bytes of ended flows: a pool was empty")                               \
	X(COVERED_NO_FLOW_BYTES, "coverage.no_flow_bytes",                                         \
	  "payload bytes of packets without a flow")                                               \
	X(COVERED_BLOCKED_BYTES, "coverage.blocked_bytes",                                         \
	  "payload bytes of flows that a drop or reject rule has ended")                           \
	X(COVERED_UNDECODABLE_BYTES, "coverage.undecodable_bytes",                                 \
	  "bytes of frames, and payload of segments, no host can read")                            \
	X(COVERED_TRUNCATED_BYTES, "coverage.truncated_bytes",                                     \
	  "bytes of frames cut by the capture")                                                    \
	X(COVERED_OTHER_BYTES, "coverage.other_bytes", "bytes of frames without TCP")              \
	/* released flows that the card drops (dataplane/offload.h), all with worker 0 */          \
	X(OFFLOAD_FLOWS, "offload.flows", "released flows that the card was told to drop")         \
	X(OFFLOAD_ACTIVE, "offload.active", "flows that the card drops at present")                \
	X(OFFLOAD_REFUSED, "offload.refused", "flows that the card took no rule for")              \
	X(OFFLOAD_FULL, "offload.full", "flows for which offload_flows left no room")              \
	X(OFFLOAD_PKTS, "offload.packets", "packets dropped by the card, as far as it counts")     \
	X(OFFLOAD_BYTES, "offload.bytes", "their bytes")                                           \
	X(OLD_RELEASED, "detect.old_released",                                                     \
	  "bodies cut off from a retired rule set after the grace time")

enum counter {
#define X(id, name, text) CNT_##id,
	COUNTER_TABLE(X)
#undef X
		COUNTER_N
};

struct counters {
	uint64_t v[COUNTER_N];
};

struct counter_info {
	const char *name;
	const char *text;
};

// Is it a level, which also falls? All others only grow.
bool counter_is_level(unsigned int counter);

// Row of a counter, or NULL.
const struct counter_info *counter_info(unsigned int counter);

#endif
