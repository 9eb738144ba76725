package emulator

// grantOutside gives roles to people in no story: to one of 200, or to as many as make Options.Admins with those who
// hold a role by the story or through a group.
func (o *Org) grantOutside() {
	want := max(leastHolders, o.staff.count/200)
	if o.options.Admins == 0 {
		for i := range want {
			o.grantAnyone(i)
		}
		return
	}
	holders := make(map[int]bool, o.options.Admins)
	for g := range o.granted {
		for _, i := range o.groups[g].members {
			holders[int(i)] = true
		}
	}
	for place := range o.direct {
		holders[place] = true
	}
	for i := 0; i < o.staff.count && len(holders) < o.options.Admins; i++ {
		if place, ok := o.grantAnyone(i); ok {
			holders[place] = true
		}
	}
}
