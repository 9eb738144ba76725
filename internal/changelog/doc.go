// Package changelog tells other systems what changed: each change of a blueprint and of its entities is posted to the
// blueprint's changelogDestination, {"type": "WEBHOOK", "url": "https://…"}, as the audit log has it.
//
// What is told is read from the audit log, beginning where the last delivery ended, so that writing the catalog costs
// nothing and waits for nobody. A delivery is made at least once, and those of a blueprint in the order of its changes: one
// that fails is made again, later each time, and given up when the change is a day old; the audit log then tells how many
// were. Deliveries are signed as Port signs its own:
//
//	X-Port-Timestamp  seconds since 1970
//	X-Port-Signature  "v1," and the Base64 of HMAC-SHA256(client secret, timestamp + "." + body)
package changelog
