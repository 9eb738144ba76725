package emulator

// writeEvent writes the k-th event, in the field order of recorded ones.
func (o *Org) writeEvent(t *text, k int) { o.writeLogEvent(t, o.event(k), 0) }

// writeLogEvent writes an event. Hooks are sent another shape of it, which tells when it was inserted (Unix
// milliseconds): the chain of addresses is the client's, and there is no request.
func (o *Org) writeLogEvent(t *text, e logEvent, inserted int64) {
	request := e.hex32()
	t.object("")
	writeTarget(t, "actor", e.actor)
	e.writeClient(t, inserted != 0)
	e.writeDevice(t, o)
	e.writeContext(t)
	t.str("displayMessage", e.kind.display)
	t.str("eventType", e.kind.name)
	if e.result == "" {
		t.nulls("outcome")
	} else {
		t.object("outcome")
		t.str("result", e.result)
		t.strOrNull("reason", e.reason)
		t.end()
	}
	t.millis("published", e.published)
	e.writeSecurity(t)
	t.str("severity", e.kind.severity)
	e.writeDebug(t, request)
	t.strOrNull("legacyEventType", e.kind.legacy)
	e.writeTransaction(t, request)
	t.strs("uuid", e.uuid())
	t.raw("version", `"0"`)
	if inserted != 0 {
		t.millis("insertionTimestamp", inserted)
	} else {
		t.object("request")
		e.writeChain(t)
		t.end()
	}
	if e.targets == nil {
		t.nulls("target")
	} else {
		t.array("target")
		for _, of := range e.targets {
			writeTarget(t, "", of)
		}
		t.endArray()
	}
	t.end()
}

func writeTarget(t *text, key string, of target) {
	t.object(key)
	t.str("id", of.id)
	t.str("type", of.typ)
	t.strOrNull("alternateId", of.alternate)
	t.strOrNull("displayName", of.name)
	if of.detail == "" {
		t.nulls("detailEntry")
	} else {
		t.raw("detailEntry", of.detail)
	}
	t.end()
}

func (e *logEvent) address() string { return e.where.network + itoa(e.host) }

func (e *logEvent) writeClient(t *text, chain bool) {
	t.object("client")
	defer t.end()
	if chain {
		defer e.writeChain(t)
	}
	if e.job {
		t.nulls("userAgent", "zone", "device", "id", "ipAddress", "geographicalContext")
		return
	}
	a := agents[e.agent]
	t.object("userAgent")
	t.str("rawUserAgent", a.raw)
	t.str("os", a.os)
	t.str("browser", a.browser)
	t.end()
	t.raw("zone", `"null"`) // the word, as real orgs write it
	t.str("device", a.device)
	t.nulls("id")
	t.str("ipAddress", e.address())
	e.writePlace(t)
}

// writePlace writes where an address is; a machine's is not known.
func (e *logEvent) writePlace(t *text) {
	if e.agent == scriptAgent {
		t.nulls("geographicalContext")
		return
	}
	t.object("geographicalContext")
	t.str("city", e.where.city)
	t.str("state", e.where.state)
	t.str("country", e.where.country)
	t.str("postalCode", e.where.zip)
	t.object("geolocation")
	t.raw("lat", e.where.lat)
	t.raw("lon", e.where.lon)
	t.end()
	t.end()
}

func (e *logEvent) writeDevice(t *text, o *Org) {
	if !e.enrolled {
		t.nulls("device")
		return
	}
	t.object("device")
	t.strs("id", o.id(kindRealm, 1+e.host))
	t.str("name", "HL-"+itoa(1000+e.host))
	if e.agent == 1 {
		t.raw("os_platform", `"OSX"`)
		t.raw("os_version", `"15.6.0"`)
	} else {
		t.raw("os_platform", `"WINDOWS"`)
		t.raw("os_version", `"10.0.26100"`)
	}
	t.raw("managed", "true")
	t.raw("registered", "true")
	t.nulls("device_integrator")
	t.raw("disk_encryption_type", `"ALL_INTERNAL_VOLUMES"`)
	t.raw("screen_lock_type", `"BIOMETRIC"`)
	t.nulls("jailbreak")
	t.raw("secure_hardware_present", "true")
	t.end()
}

func (e *logEvent) writeContext(t *text) {
	t.object("authenticationContext")
	if e.kind == secondFactor || e.kind == verify {
		t.raw("authenticationProvider", `"FACTOR_PROVIDER"`)
		t.raw("credentialProvider", `"OKTA_CREDENTIAL_PROVIDER"`)
	} else {
		t.nulls("authenticationProvider", "credentialProvider")
	}
	t.nulls("credentialType")
	if e.issuer == "" {
		t.nulls("issuer")
	} else {
		t.raw("issuer", e.issuer)
	}
	t.nulls("interface")
	t.raw("authenticationStep", "0")
	session := "trs" + e.word(22)
	t.strs("rootSessionId", session)
	t.strs("externalSessionId", session)
	t.end()
}

func (e *logEvent) writeSecurity(t *text) {
	t.object("securityContext")
	defer t.end()
	if e.job || e.agent == scriptAgent || e.d.chance(400) && e.where != &elsewhere {
		t.nulls("asNumber", "asOrg", "isp", "domain", "isProxy")
		return
	}
	t.raw("asNumber", e.where.asn)
	t.str("asOrg", e.where.asOrg)
	t.str("isp", e.where.isp)
	t.str("domain", e.where.domain)
	t.raw("isProxy", "false")
}

// writeDebug writes strings alone, even where they say false or a number.
func (e *logEvent) writeDebug(t *text, request string) {
	t.object("debugContext")
	t.object("debugData")
	for _, d := range e.debug {
		t.str(d[0], d[1])
	}
	if !e.job {
		t.strs("requestId", request)
		t.strs("dtHash", e.hex32(), e.hex32())
		t.str("requestUri", e.kind.uri)
		t.str("url", e.kind.uri+"?")
	}
	t.end()
	t.end()
}

func (e *logEvent) writeTransaction(t *text, request string) {
	t.object("transaction")
	if e.job {
		t.raw("type", `"JOB"`)
		t.strs("id", "op1-jobecs", itoa(e.number%20), "a.internal", itoa(int(e.published)), request[:8])
	} else {
		t.raw("type", `"WEB"`)
		t.strs("id", request)
	}
	t.object("detail")
	if e.token != "" {
		t.strs("rootApiTokenId", e.token)
		t.strs("requestApiTokenId", e.token)
	}
	t.end()
	t.end()
}

// uuid has the shape of a version 1 UUID, whose last part names the machine.
func (e *logEvent) uuid() string {
	id := newDraw(e.d.state, saltEvent, e.number)
	return uuidOf(id.next()&^0xf000|0x1000, id.next()&^(3<<62)|1<<63)
}

// writeChain writes the addresses that a request came through.
func (e *logEvent) writeChain(t *text) {
	t.array("ipChain")
	if !e.job {
		t.object("")
		t.str("ip", e.address())
		e.writePlace(t)
		t.raw("version", `"V4"`)
		t.nulls("source")
		t.end()
	}
	t.endArray()
}
