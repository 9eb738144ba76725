package okta

// logsName names the stream that alone has no end: what is missing from it does not come back.
const logsName = "logs"

func (s *Source) systemLog() streamSpec {
	log := stream(logsName, "The System Log: who did what, at most 90 days back.", "uuid")
	log.CursorField, log.Incremental = "published", true
	return streamSpec{Stream: log, read: readLogs}
}
