package emulator

// Reset undoes all changes: the data is that of New again, the ledger is empty, the hooks and a workload that Live began
// are gone. The clock goes on.
// Cursors of the log that were given out since are refused, as after a restore.
func (o *Org) Reset() {
	_ = o.Live(0, 0) // a rate of 0 is never refused
	fresh := &Org{options: o.options}
	fresh.found()
	o.stopHooks()
	o.hooks.mu.Lock()
	o.hooks.list, o.hooks.queue, o.hooks.stats = nil, nil, HookStats{}
	o.hooks.mu.Unlock()
	w := &o.world
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed = fresh.world.changed
	w.due.Store(0)
	o.groups, o.direct, o.granted, o.holders, o.bindings = fresh.groups, fresh.direct, fresh.granted, fresh.holders, fresh.bindings
	o.clientGrants, o.targets = fresh.clientGrants, fresh.targets
	o.goneCount, o.adminCount, o.grants, o.boundCount = fresh.goneCount, fresh.adminCount, fresh.grants, fresh.boundCount
}
