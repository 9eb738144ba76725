package emulator

import "slices"

// stage puts the story's events into the log: each takes the place of the event that was stored at that time.
func (o *Org) stage() {
	o.events.story = make(map[int]func(*logEvent))
	scenes := o.scenes()
	slices.SortStableFunc(scenes, func(a, b scene) int { return int(max(-1, min(1, b.ago-a.ago))) })
	for _, s := range scenes {
		k := o.firstStored(o.now*1000 - s.ago*1000)
		for o.events.story[k] != nil { // told in their order, even where the log is thin
			k++
		}
		if k > 0 && k < o.events.count { // what is older than the log is not told
			o.events.story[k] = s.play
		}
	}
}

type scene struct {
	ago  int64 // seconds before Now
	play func(*logEvent)
}

func (o *Org) scenes() []scene {
	at := func(p part) user { return o.user(o.staff.places[p]) }
	admin, engineer, contractor := at(partFirstAdmin), at(partIdentityEngineer), at(partContractor)
	leaver, gone, locked, sync := at(partLeaver), at(partGone), at(partLockedOut), at(partService)
	harbor := grantedFirst + 1
	plain := [][2]string{{"threatSuspected", "false"}}
	act := func(kind *eventKind, by user, agent int, debug [][2]string, targets ...target) func(*logEvent) {
		return func(e *logEvent) {
			e.by(&by, agent)
			e.kind, e.debug, e.targets = kind, debug, targets
		}
	}
	scenes := []scene{
		{suspendedAgo, act(suspendUser, admin, 1, plain, userTarget(&leaver))},
		{endedAgo, act(deactivate, admin, 1, plain, userTarget(&gone))},
		{grantAgo, act(groupGrant, engineer, 1, [][2]string{{"privilegeGranted", "Super administrator"}, {"threatSuspected", "false"}}, o.groupTarget(harbor))},
		{joinAgo, act(addMember, engineer, 1, plain, userTarget(&contractor), o.groupTarget(harbor))},
		{joinAgo - 90, act(userGrant, engineer, 1, [][2]string{{"privilegeGranted", "Super administrator"}, {"threatSuspected", "false"}}, userTarget(&contractor))},
		{lockedAgo, func(e *logEvent) {
			e.by(&locked, 0)
			e.where, e.host = &elsewhere, 77
			e.kind, e.result, e.reason, e.debug = lockUser, "FAILURE", "LOCKED_OUT", [][2]string{{"threatSuspected", "true"}}
			e.targets = []target{userTarget(&locked)}
		}},
	}
	for i := range int64(12) { // the contractor comes in most days, and goes to the admin console
		ago := joinAgo - night - 3600 - i*40*3600
		scenes = append(scenes, scene{ago, act(sessionStart, contractor, 0, [][2]string{{"behaviors", "{New Geo-Location=POSITIVE, New Device=POSITIVE, New IP=POSITIVE, Velocity=NEGATIVE}"}, {"risk", "{level=MEDIUM}"}, {"threatSuspected", "false"}})},
			scene{ago - 240, act(adminAccess, contractor, 0, plain, target{o.id(kindApp, appAdminConsole), "AppInstance", applications[appAdminConsole], applications[appAdminConsole], ""}, target{o.id("0ua", contractor.index), "AppUser", contractor.login, contractor.given + " " + contractor.family, ""})})
	}
	for i := range int64(9) { // somebody tries the password of an account that never signed in
		scenes = append(scenes, scene{4*day + 3*3600 - i*35, func(e *logEvent) {
			e.by(&sync, scriptAgent)
			e.where, e.host = &elsewhere, 77
			e.kind, e.result, e.reason, e.debug = sessionFailed, "FAILURE", "INVALID_CREDENTIALS", [][2]string{{"threatSuspected", "true"}}
		}})
	}
	for i := range int64(6) {
		scenes = append(scenes, scene{lockedAgo + 900 - i*150, func(e *logEvent) {
			e.by(&locked, 0)
			e.where, e.host = &elsewhere, 77
			e.kind, e.result, e.reason, e.debug = sessionFailed, "FAILURE", "INVALID_CREDENTIALS", [][2]string{{"threatSuspected", "true"}}
		}})
	}
	return append(scenes, o.hires()...)
}

// hires are the accounts that were made while the log ran.
func (o *Org) hires() (scenes []scene) {
	admin := o.user(o.staff.places[partFirstAdmin])
	oldest := o.now - int64(o.options.Days)*day
	for i := o.staff.count - 1; i >= 0; i-- {
		if o.staff.story[i] != nil {
			continue
		}
		u := o.user(i)
		if u.created <= oldest {
			break
		}
		scenes = append(scenes, scene{o.now - u.created, func(e *logEvent) {
			e.by(&admin, 1)
			e.kind, e.debug, e.targets = createUser, [][2]string{{"threatSuspected", "false"}}, []target{userTarget(&u)}
		}})
		if len(scenes) == maxHires {
			break
		}
	}
	return scenes
}

const maxHires = 200 // told one by one; a large org's log tells of the latest
