// Package greeter greets whoever may be greeted.
package greeter

import "errors"

// ErrNotAllowed says that somebody may not be greeted.
var ErrNotAllowed = errors.New("not allowed")

// Greet greets name if mayGreet says so.
func Greet(name string, mayGreet func(string) bool) (string, error) {
	if !mayGreet(name) {
		return "", ErrNotAllowed
	}
	return "Hello, " + name + "!", nil
}
