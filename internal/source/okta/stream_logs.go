package okta

func (s *Source) systemLog() streamSpec {
	log := stream("logs", "The System Log: who did what, at most 90 days back.", "uuid")
	log.CursorField, log.Incremental = "published", true
	return streamSpec{Stream: log, read: readLogs}
}
