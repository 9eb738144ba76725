// Package oktasdk holds no program: its tests let the vendor's own Go SDK read the stand-in org, and check that it
// decodes everything that the org serves. It is a module of its own so that the product does not depend on the SDK.
package oktasdk
