// Package laketest is the suite that every lake.Bucket passes: call [Bucket] from the implementation's tests.
package laketest
