package emulator

// letClientsIn gives service apps their admin roles. Custom ones are numbered after those of people and groups, whose
// ids stay what they were without service apps.
func (o *Org) letClientsIn() {
	o.clientGrants = make(map[int][]assignment)
	for i, c := range clientRoles {
		app := o.appAt(c.app)
		for j, r := range c.roles {
			d := newDraw(o.seed, saltClient, i*16+j)
			o.grant(assignment{role: r, group: -1, person: -1, client: c.app + 1, granted: d.between(app.created, o.now-10*day)})
		}
		o.clientGrants[c.app] = targetsFirst(o.clientGrants[c.app])
	}
}

// findClient returns the position of an OAuth client among the applications.
func (o *Org) findClient(c *call) (int, bool) {
	i, ok := o.indexOf(kindApp, c.value("client"), o.appCount())
	return i, ok && o.appAt(i).client != ""
}

// listClientRoles answers with the admin roles of a service app; [] for one without any.
func (o *Org) listClientRoles(c *call) answer {
	i, ok := o.findClient(c)
	if app := o.appByID(c.value("client")); !ok && app != nil {
		return o.listAppRoles(c, app)
	}
	if !ok {
		return o.notFound(c, c.value("client"), "PublicClientApp")
	}
	return o.assignments(c, o.clientGrants[i])
}
