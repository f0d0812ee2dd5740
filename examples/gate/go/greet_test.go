package greeter

import (
	"errors"
	"testing"
)

func TestGreetsByName(t *testing.T) {
	greeting, err := Greet("Ada", func(string) bool { return true })
	if err != nil || greeting != "Hello, Ada!" {
		t.Fatalf("got %q, %v", greeting, err)
	}
}

func TestRefusesWhomItMayNotGreet(t *testing.T) {
	if _, err := Greet("Mallory", func(string) bool { return false }); !errors.Is(err, ErrNotAllowed) {
		t.Fatalf("got %v", err)
	}
}
