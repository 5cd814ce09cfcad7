// SPDX-License-Identifier: BSD-2-Clause
// What a rule does when it matches. The order is that of the image format.
#ifndef RULES_ACTION_H
#define RULES_ACTION_H

enum rule_action {
	RULE_ALERT,
	RULE_PASS, // nothing more is reported of the flow
	// act only where traffic may be stopped, else they alert
	RULE_DROP,
	RULE_REJECT, // reset to the sender of the message that matched
	RULE_REJECT_DST,
	RULE_REJECT_BOTH,
	RULE_ACTION_N,
};

#endif
