package emulator

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Workload is the daily life of an org: changes drawn from a seed, in the mix of a busy week. The same seed on the same
// org makes the same changes. It never touches the administrator whose token clients use. Not safe for concurrent use.
type Workload struct {
	org  *Org
	d    draw
	made int
}

// Workload begins a workload.
func (o *Org) Workload(seed uint64) *Workload {
	return &Workload{org: o, d: newDraw(seed, saltWork, 0)}
}

// changeMix is how often each change is drawn, of 1000.
var changeMix = []struct {
	share int
	what  string
}{
	{220, "update_profile"},
	{180, "sign_in"},
	{120, "join"},
	{90, "leave"},
	{75, "grant"},
	{65, "revoke"},
	{60, "create_user"},
	{25, "suspend"},
	{20, "unsuspend"},
	{20, "deactivate"},
	{20, "delete"},
	{15, "activate"},
	{12, "lock"},
	{12, "unlock"},
	{10, "reset_password"},
	{12, "create_group"},
	{10, "update_group"},
	{6, "delete_group"},
	{8, "grant_group"},
	{8, "revoke_group"},
	{4, "add_permission"},
	{3, "remove_permission"},
	{2, "create_role"},
	{1, "delete_role"},
	{1, "create_resource_set"},
	{1, "update_resource_set"},
}

// Step makes one change and returns what it was. What the org refuses, because nobody is in the right state for it, is
// drawn again.
func (w *Workload) Step() (Step, error) {
	var last error
	for range 1000 {
		n, what := w.d.below(1000), ""
		for _, m := range changeMix {
			if n -= m.share; n < 0 {
				what = m.what
				break
			}
		}
		s := w.draw(what)
		before := w.org.changeCount()
		_, err := w.org.Do(s)
		var no *Refused
		switch {
		case err == nil && w.org.changeCount() > before:
			w.made++
			return s, nil
		case err != nil && !errors.As(err, &no):
			return s, err
		}
		last = err
	}
	return Step{}, fmt.Errorf("no change was possible: %w", last)
}

func (o *Org) changeCount() int {
	o.world.mu.RLock()
	defer o.world.mu.RUnlock()
	return len(o.world.ledger)
}

// Run makes changes at that rate until the context ends.
func (w *Workload) Run(ctx context.Context, perSecond float64) error {
	if perSecond <= 0 {
		return fmt.Errorf("%v changes a second: want more than 0", perSecond)
	}
	tick := time.NewTicker(max(time.Duration(float64(time.Second)/perSecond), time.Microsecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if _, err := w.Step(); err != nil {
				return err
			}
		}
	}
}

// draw makes up the details of a change.
func (w *Workload) draw(what string) Step {
	o := w.org
	o.world.mu.RLock()
	defer o.world.mu.RUnlock()
	s := Step{What: what}
	switch what {
	case "create_user":
		given, family := pick(&w.d, givenNames), pick(&w.d, familyNames)
		login := asciiLogin(given, family) + "." + itoa(o.userCount()) + "@" + companyDomain
		s.Profile = map[string]any{"firstName": given, "lastName": family, "login": login, "email": login, "title": pick(&w.d, departments).titles[0]}
		s.Activate = w.d.chance(700)
	case "update_profile":
		s.User = w.person(nil)
		dept := pick(&w.d, departments)
		s.Profile = map[string]any{"title": pick(&w.d, dept.titles), "department": dept.name}
		if w.d.chance(200) {
			s.Profile = map[string]any{"mobilePhone": "+1 555 01" + itoa(10+w.d.below(90)), "secondEmail": nil}
		}
	case "join", "leave":
		s.Group, s.User = w.group(), w.person(nil)
		if g, ok := o.groupNamed(s.Group); ok && what == "leave" && len(o.groups[g].members) > 0 {
			s.User = o.id(kindUser, int(pick(&w.d, o.groups[g].members)))
		}
	case "grant", "grant_group":
		s.User, s.Group = w.person(nil), w.group()
		w.role(&s)
	case "revoke":
		w.assignment(&s)
	case "revoke_group":
		s.Group = w.group()
		if g, ok := o.groupNamed(s.Group); ok && len(o.granted[g]) > 0 {
			s.Assignment = pick(&w.d, o.granted[g]).id
		}
	case "create_group", "update_group", "create_role", "create_resource_set", "update_resource_set":
		s.Group = w.group()
		s.ResourceSet = o.id(kindResourceSet, w.d.below(len(o.world.sets)))
		s.Name, s.Description = pick(&w.d, projectWords)+" "+itoa(w.d.below(1_000_000)), "made by the workload"
		s.Permissions, s.Resources = []string{"okta.users.read"}, []string{"orn:okta:directory:" + o.orgID + ":users"}
	case "delete_group":
		s.Group = w.group()
	case "add_permission", "remove_permission", "delete_role":
		s.Role = o.id(kindRole, w.d.below(len(o.world.roles)))
		s.Permission = pick(&w.d, []string{"okta.users.read", "okta.groups.read", "okta.apps.read", "okta.iam.read", "okta.devices.read"})
	default:
		s.User = w.person(steps[what].from)
	}
	return s
}

// person draws somebody whose status is one of those, any for none, and who is nobody in the story: the demo's people
// stay who they are.
func (w *Workload) person(from []string) string {
	o := w.org
	for range 400 {
		i := w.d.below(o.userCount())
		if o.staff.story[i] != nil || o.erased(i) {
			continue
		}
		if len(from) == 0 {
			return o.id(kindUser, i)
		}
		status := ""
		if a := o.world.people[i]; a != nil {
			status = a.status
		} else {
			status = o.statusOf(i)
		}
		for _, want := range from {
			if status == want {
				return o.id(kindUser, i)
			}
		}
	}
	return "nobody"
}

// group draws a group whose members administrators choose, and that is none of the story's.
func (w *Workload) group() string {
	for range 100 {
		g := departmentHome + w.d.below(len(w.org.groups)-departmentHome)
		if w.d.chance(150) {
			g = grantedFirst + w.d.below(len(grantedGroups))
		}
		if of := w.org.groups[g]; !of.gone && of.typ == oktaGroup && w.org.firstName(g) != storyGroup {
			return of.id
		}
	}
	return "none"
}

func (w *Workload) role(s *Step) {
	percent := w.d.below(100)
	for _, m := range roleMix {
		if percent -= m.percent; percent < 0 {
			s.Role = m.role
			break
		}
	}
	if s.Role == customType {
		s.Role = w.org.id(kindRole, w.d.below(len(w.org.world.roles)))
		s.ResourceSet = w.org.id(kindResourceSet, w.d.below(len(w.org.world.sets)))
	}
}

// assignment draws a direct assignment of somebody who is nobody in the story.
func (w *Workload) assignment(s *Step) {
	o := w.org
	if len(o.holders) == 0 {
		return
	}
	for range 100 {
		i := int(pick(&w.d, o.holders))
		if o.staff.story[i] == nil {
			s.User, s.Assignment = o.id(kindUser, i), pick(&w.d, o.direct[i]).id
			return
		}
	}
}
