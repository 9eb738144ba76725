package emulator

const (
	appNotes  = `"notifications":{"vpn":{"network":{"connection":"DISABLED"},"message":null,"helpUrl":null}},"manualProvisioning":false,"implicitAssignment":`
	appNotes2 = `,"emOptInStatus":"NONE","notes":{"admin":null,"enduser":null}`
	allowPost = `{"allow":["POST"]}`
)

// writeApp writes an application; an optimized one lacks credentials and settings.
func (o *Org) writeApp(t *text, a app, base string, optimized bool) {
	t.object("")
	t.strs("id", a.id)
	t.strs("orn", "orn:okta:idp:", o.orgID, ":apps:", a.name, ":", a.id)
	t.str("name", a.name)
	t.str("label", a.label)
	t.str("status", a.status)
	t.at("lastUpdated", a.updated)
	t.at("created", a.created)
	t.raw("accessibility", `{"selfService":false,"errorRedirectUrl":null,"loginRedirectUrl":null}`)
	hidden := "false"
	if a.client == clientService {
		hidden = "true"
	}
	t.raw("visibility", `{"autoLaunch":false,"autoSubmitToolbar":false,"hide":{"iOS":`+hidden+`,"web":`+hidden+`},"appLinks":{"`+a.name+`_link":true}}`)
	switch {
	case a.directory:
		t.raw("features", `["IMPORT_NEW_USERS","IMPORT_PROFILE_UPDATES","PROFILE_MASTERING","GROUP_PUSH"]`)
	case a.provisioned:
		t.raw("features", `["PUSH_NEW_USERS","PUSH_USER_DEACTIVATION","PUSH_PROFILE_UPDATES"]`)
	default:
		t.raw("features", `[]`)
	}
	t.strs("signOnMode", a.mode)
	if !optimized {
		a.writeCredentials(t)
		if a.mode == modeSAML2 {
			t.raw("universalLogout", `{"status":"DISABLED","supportType":"FULL","identityStack":"NOT_SHARED","protocol":"GLOBAL_TOKEN_REVOCATION"}`)
		} else {
			t.nulls("universalLogout")
		}
		a.writeSettings(t)
	}
	a.writeLinks(t, o, base)
	t.end()
}

func (a app) writeCredentials(t *text) {
	t.object("credentials")
	switch a.mode {
	case modePlugin, modeBasic, modeAutoLogin:
		t.raw("scheme", `"EDIT_USERNAME_AND_PASSWORD"`)
	case modeStore:
		t.raw("scheme", `"SHARED_USERNAME_AND_PASSWORD"`)
		t.strs("userName", "shared-", a.name)
		t.raw("password", "{}")
	}
	t.raw("userNameTemplate", `{"template":"${source.login}","type":"BUILT_IN"}`)
	switch a.mode {
	case modePlugin, modeBasic, modeAutoLogin, modeStore:
		t.raw("revealPassword", "false")
		t.raw("signing", "{}")
	case modeBookmark:
		t.raw("signing", "{}")
	default:
		t.object("signing")
		t.strs("kid", a.kid)
		t.end()
	}
	if a.client != "" {
		t.object("oauthClient")
		t.raw("autoKeyRotation", "true")
		t.strs("client_id", a.id)
		method, pkce := "none", "true"
		if a.secret != "" {
			method, pkce = "client_secret_basic", "false"
			t.strs("client_secret", a.secret)
		} else if a.client == clientService {
			method, pkce = "private_key_jwt", "false"
		}
		t.strs("token_endpoint_auth_method", method)
		t.raw("pkce_required", pkce)
		t.end()
	}
	t.end()
}

func (a app) writeSettings(t *text) {
	t.object("settings")
	defer t.end()
	switch a.mode {
	case modePlugin:
		t.raw("app", `{"loginUrlRegex":null,"usernameField":"txtbox-username","redirectUrl":null,"buttonField":"btn-login","checkbox":null,"passwordField":"txtbox-password","url":"https://`+a.name+`.example/login"}`)
	case modeStore:
		t.raw("app", `{"usernameField":"user","optionalField1":null,"optionalField2Value":null,"optionalField3Value":null,"passwordField":"pass","url":"https://`+a.name+`.example","optionalField1Value":null,"optionalField2":null,"optionalField3":null}`)
	case modeBasic:
		t.raw("app", `{"loginUrlRegex":null,"authURL":"https://tides.example/auth","url":"https://tides.example/login"}`)
	case modeBookmark:
		t.raw("app", `{"requestIntegration":false,"url":"https://rates.example"}`)
	case modeWSFed:
		t.raw("app", `{"wReplyOverride":false,"groupFilter":null,"siteURL":"https://`+a.name+`.example","realm":"urn:okta:app","groupName":null,"usernameAttribute":"username","audienceRestriction":"urn:example:app","groupValueFormat":"windowsDomainQualifiedName","nameIDFormat":"urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified","attributeStatements":null,"wReplyURL":"https://`+a.name+`.example/","authnContextClassRef":"urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"}`)
	default:
		t.raw("app", "{}")
	}
	implicit := "false"
	if a.index == appDashboard {
		implicit = "true"
	}
	t.comma()
	t.b = append(t.b, appNotes+implicit+appNotes2...)
	switch a.mode {
	case modeSAML2:
		t.raw("signOn", `{"defaultRelayState":null,"ssoAcsUrl":"https://`+a.name+`.example/saml","idpIssuer":"http://www.okta.com/${org.externalKey}","audience":"https://`+a.name+`.example","recipient":"https://`+a.name+`.example/saml","destination":"https://`+a.name+`.example/saml",`+
			`"subjectNameIdTemplate":"${user.userName}","subjectNameIdFormat":"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress","responseSigned":true,"assertionSigned":true,"signatureAlgorithm":"RSA_SHA256","digestAlgorithm":"SHA256","honorForceAuthn":true,`+
			`"authnContextClassRef":"urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport","spIssuer":null,"requestCompressed":false,"attributeStatements":[],"inlineHooks":[],"assertionEncryption":{"enabled":false},"allowMultipleAcsEndpoints":false,"acsEndpoints":[],"samlSignedRequestEnabled":false,"slo":{"enabled":false}}`)
	case modeSAML1:
		t.raw("signOn", `{"defaultRelayState":null,"ssoAcsUrlOverride":null,"audienceOverride":null,"recipientOverride":null}`)
	case modeAutoLogin:
		t.raw("signOn", `{"redirectUrl":null,"loginUrl":"https://`+a.name+`.example/login"}`)
	case modeOIDC:
		a.writeClient(t)
	}
}

func (a app) writeClient(t *text) {
	t.object("oauthClient")
	t.nulls("client_uri", "logo_uri")
	switch a.client {
	case clientService:
		t.raw("redirect_uris", "[]")
		t.raw("response_types", `["token"]`)
		t.raw("grant_types", `["client_credentials"]`)
	case clientNative:
		t.raw("redirect_uris", `["com.harborline.berths:/callback"]`)
		t.raw("response_types", `["code"]`)
		t.raw("grant_types", `["authorization_code","refresh_token"]`)
	default:
		t.raw("redirect_uris", `["https://`+a.name+`.example/callback"]`)
		t.raw("response_types", `["code"]`)
		t.raw("grant_types", `["authorization_code"]`)
	}
	t.strs("application_type", a.client)
	t.raw("consent_method", `"TRUSTED"`)
	t.raw("issuer_mode", `"ORG_URL"`)
	t.raw("idp_initiated_login", `{"mode":"DISABLED","default_scope":[]}`)
	t.raw("wildcard_redirect", `"DISABLED"`)
	dpop := "false"
	if a.client == clientService && a.secret == "" {
		dpop = "true"
	}
	t.raw("dpop_bound_access_tokens", dpop)
	t.raw("participate_slo", "false")
	t.end()
}

func (a app) writeLinks(t *text, o *Org, base string) {
	self := "/api/v1/apps/" + a.id
	t.object("_links")
	if a.mode == modeSAML2 {
		t.raw("help", `{"href":"`+adminBase(base)+`/app/`+a.name+`/`+a.id+`/setup/help/SAML_2_0/instructions","type":"text/html"}`)
		t.raw("metadata", `{"href":"`+base+self+`/sso/saml/metadata","type":"application/xml"}`)
	}
	t.raw("uploadLogo", `{"href":"`+base+self+`/logo","hints":`+allowPost+`}`)
	t.raw("appLinks", `[{"name":"`+a.name+`_link","href":"`+base+`/home/`+a.name+`/`+a.id+`/`+o.id("aln", a.index)+`","type":"text/html"}]`)
	t.href("profileEnrollment", base, "/api/v1/policies/", o.id("rst", 0))
	t.raw("policies", `{"href":"`+base+self+`/policies","hints":{"allow":["PUT"]}}`)
	t.href("groups", base, self, "/groups")
	t.raw("logo", `[{"name":"medium","href":"https://op1static.oktacdn.com/assets/img/logos/default.6770228fb0dab49a1695ef440a5279bb.png","type":"image/png"}]`)
	if a.client != "" {
		t.raw("clientCredentials", `[{"name":"secrets","href":"`+base+self+`/credentials/secrets"}]`)
	}
	t.href("accessPolicy", base, "/api/v1/policies/", o.id("rst", 1))
	t.href("users", base, self, "/users")
	if a.status == active {
		t.href("deactivate", base, self, "/lifecycle/deactivate")
	} else {
		t.href("activate", base, self, "/lifecycle/activate")
		t.href("delete", base, self)
	}
	t.end()
}
