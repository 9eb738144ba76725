package org

import (
	"context"
	"encoding/json"

	"longshore/internal/catalog"
)

// Secret is what may be told of a secret: all but its value.
type Secret struct {
	Name        string
	Description *string
}

func secretKey(name string) catalog.DocumentKey {
	return catalog.DocumentKey{Kind: kindSecret, Identifier: name}
}

// secretDoc is the document beside the sealed value.
type secretDoc struct {
	Description *string `json:"description"`
}

func toSecret(d catalog.Document) (Secret, error) {
	var doc secretDoc
	err := json.Unmarshal(d.Doc, &doc)
	return Secret{d.Identifier, doc.Description}, err
}

// Secrets lists the secrets by name.
func (o *Org) Secrets(ctx context.Context) ([]Secret, error) {
	docs, err := o.docs.List(ctx, kindSecret)
	if err != nil {
		return nil, err
	}
	all := make([]Secret, len(docs))
	for i, d := range docs {
		if all[i], err = toSecret(d); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Secret returns one secret, or fault.NotFound.
func (o *Org) Secret(ctx context.Context, name string) (Secret, error) {
	d, err := o.docs.Get(ctx, secretKey(name))
	if err != nil {
		return Secret{}, err
	}
	return toSecret(d)
}

// CreateSecret keeps {secretName, secretValue, description?}. Errors: fault.Conflict when the name is taken.
func (o *Org) CreateSecret(ctx context.Context, body json.RawMessage, actor string) (Secret, error) {
	sent, err := readSecret(body)
	if err != nil {
		return Secret{}, err
	}
	if sent.name == nil {
		return Secret{}, invalid("secretName: required")
	}
	if sent.value == nil || *sent.value == "" {
		return Secret{}, invalid("secretValue: required")
	}
	if err := checkName("secretName", *sent.name); err != nil {
		return Secret{}, err
	}
	d, err := o.docs.Create(ctx, catalog.Document{
		DocumentKey: secretKey(*sent.name), Doc: encode(secretDoc{sent.description}), Secret: []byte(*sent.value), UpdatedBy: actor,
	})
	if err != nil {
		return Secret{}, err
	}
	return toSecret(d)
}

// PatchSecret changes the value, the description, or both.
func (o *Org) PatchSecret(ctx context.Context, name string, body json.RawMessage, actor string) (Secret, error) {
	sent, err := readSecret(body)
	if err != nil {
		return Secret{}, err
	}
	if sent.name != nil && *sent.name != name {
		return Secret{}, invalid("secretName: a secret cannot be renamed")
	}
	if sent.value != nil && *sent.value == "" {
		return Secret{}, invalid("secretValue: want a value")
	}
	d, err := o.docs.Update(ctx, secretKey(name), func(d *catalog.Document) error {
		if sent.value != nil {
			d.Secret = []byte(*sent.value)
		}
		if sent.described {
			d.Doc = encode(secretDoc{sent.description})
		}
		d.UpdatedBy = actor
		return nil
	})
	if err != nil {
		return Secret{}, err
	}
	return toSecret(d)
}

// DeleteSecret forgets a secret, or answers fault.NotFound.
func (o *Org) DeleteSecret(ctx context.Context, name string) error {
	return o.docs.Delete(ctx, secretKey(name))
}

// sentSecret is a secret as a client writes it.
type sentSecret struct {
	name, value, description *string
	described                bool
}

// readSecret reads a body. Messages never quote it.
func readSecret(body json.RawMessage) (sentSecret, error) {
	o, err := parseObject("secret", body)
	if err != nil {
		return sentSecret{}, err
	}
	var s sentSecret
	for name, into := range map[string]**string{"secretName": &s.name, "secretValue": &s.value, "description": &s.description} {
		if err := o.want("secret", name, "a string", into); err != nil {
			return s, err
		}
	}
	_, s.described = o["description"]
	return s, nil
}
