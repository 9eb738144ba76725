// Package web is the screens: pages of HTML made on the server, over the same nouns as the APIs.
//
// A page is one handler (home.go, table.go, entity.go, …) that reads through the interfaces of ports.go, fills a struct
// and hands it to the template of the same name. The URL is the whole state of a page: filters, sort, columns, place.
// Every number on a page is a link to the rows that it counts, every row says where it came from.
//
// Pages work without script. The one script adds what needs it: the theme without a reload, keys, copying, and a page's
// renewal while a sync runs. Answers carry a Content-Security-Policy under which no inline script or style runs.
package web
