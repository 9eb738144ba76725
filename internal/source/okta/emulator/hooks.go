package emulator

type HookOptions struct{}
type hooks struct{}

func (o *Org) wakeHooks()                {}
func (o *Org) notify(events []*logEvent) {}
